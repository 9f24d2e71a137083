"""The figures of finished weights, measured on the very files that are handed on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from rtseg.networks.trained import TrainedNetwork, load_trained, save_trained
from rtseg.training.datasets.dataset import SegmentationDataset
from rtseg.training.evaluate import Evaluation, evaluate
from rtseg.training.session import Session

PRECISION = "fp32"
"""Of the final figures, whatever the training's: so they compare with `rtseg evaluate`."""

BATCH_SIZE = 4

Scores = dict[str, Evaluation]
"""Evaluations by the name of the data: "val", and those of the configuration's `evaluate`."""


def score_weights(
    session: Session, path: Path, watch: Callable[[str], Callable[[int, int], None]]
) -> Scores:
    """Score a weights file on all data of the training, and write the figures into its card.

    Args:
        session: the training.
        path: the file.
        watch: makes the callback for one pass from a title.
    """
    trained = load_trained(path)
    network = trained.network.to(session.group.device)
    scores = {
        name: evaluate(
            network,
            data,
            trained.card.normalisation,
            device=session.group.device,
            precision=PRECISION,
            batch_size=BATCH_SIZE,
            boundary=True,
            progress=watch(f"scoring {path.stem} on {name}"),
        )
        for name, data in all_data(session).items()
    }
    write_scores(path, trained, scores)
    return scores


def all_data(session: Session) -> dict[str, SegmentationDataset]:
    """Return the validation pictures and the configuration's further data, by name."""
    return {"val": session.val, **session.extra}


def write_scores(path: Path, trained: TrainedNetwork, scores: Mapping[str, Evaluation]) -> None:
    """Put the figures into the card of a weights file; the weights stay as they are."""
    metrics = {
        f"{name}/{measure}": value
        for name, evaluation in scores.items()
        for measure, value in card_metrics(evaluation).items()
    }
    save_trained(path, trained.network, replace(trained.card, metrics=metrics))


def card_metrics(evaluation: Evaluation) -> dict[str, float]:
    """Return the measures of a data set, and the IoU of each class as ``iou/NAME``."""
    classes = evaluation.class_metrics().items()
    return {
        **evaluation.metrics(),
        **{f"iou/{name}": values["iou"] for name, values in classes},
    }
