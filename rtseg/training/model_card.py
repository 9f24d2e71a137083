"""The card that goes with trained weights: for the file, and as a page for people."""

from __future__ import annotations

import platform
from typing import Any

import torch

from rtseg import __version__
from rtseg.networks.trained import ModelCard
from rtseg.training.device import device_title, precision_name
from rtseg.training.session import Session


def model_card(session: Session, metrics: dict[str, float]) -> ModelCard:
    """Return the card of the network as it is now.

    Args:
        session: the training.
        metrics: measured figures by ``"data/measure"``.
    """
    config = session.config
    return ModelCard(
        name=config.name,
        network=config.network.name,
        classes=session.val.classes,
        input_hw=session.plan.epochs[-1].crop_hw,
        normalisation=session.normalisation,
        training=_training(session),
        metrics=metrics,
        licence=config.licence,
    )


def _training(session: Session) -> dict[str, Any]:
    config = session.config
    return {
        "train_data": [str(source) for source in config.data.train],
        "val_data": [str(source) for source in config.data.val],
        "pictures": session.plan.num_pictures,
        "epochs": len(session.epochs),
        "steps": session.step,
        "start": session.origin,
        "seed": config.train.seed,
        "precision": precision_name(session.precision),
        "hardware": device_title(session.group.device),
        "processes": session.group.world_size,
        "minutes": round(session.minutes, 1),
        "versions": {
            "rtseg": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "recipe": config.model_dump(mode="json", exclude={"evaluate", "licence"}),
    }
