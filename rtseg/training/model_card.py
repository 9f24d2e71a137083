"""The card that goes with trained weights: for the file, and as a page for people."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import yaml

from rtseg import __version__
from rtseg.device import device_title, precision_name
from rtseg.networks import NETWORKS
from rtseg.networks.trained import ModelCard
from rtseg.training.datasets import DataSource
from rtseg.training.evaluate import COLUMN_TITLES, Evaluation, percent
from rtseg.training.session import Session


def model_card(
    session: Session, metrics: dict[str, float], threshold: float | None = None
) -> ModelCard:
    """Return the card of the network as it is now.

    Args:
        session: the training.
        metrics: measured figures by ``"data/measure"``.
        threshold: of a binary network.
    """
    config = session.config
    return ModelCard(
        name=config.name,
        network=config.network.name,
        classes=session.val.classes,
        input_hw=_picture_hw(session),
        normalisation=session.normalisation,
        training=_training(session),
        metrics=metrics,
        licence=config.licence,
        threshold=threshold,
        padding=config.augment.padding,
    )


def _picture_hw(session: Session) -> tuple[int, int]:
    """Return the size at which the network knows its scenes: the pictures', not the crops'."""
    height, width = session.val[0].labels.shape
    return height, width


def _training(session: Session) -> dict[str, Any]:
    config = session.config
    return {
        "train_data": [_source(source) for source in config.data.train],
        "val_data": [_source(source) for source in config.data.val],
        "pictures": session.plan.num_pictures,
        "epochs": sum(epoch.end_step <= session.step for epoch in session.plan.epochs),
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
        "recipe": config.model_dump(mode="json", exclude={"evaluate", "export", "licence"}),
    }


def _source(source: DataSource) -> str:
    """Return, for people, which pictures these are."""
    chosen = source.model_dump(mode="json", exclude={"data", "split"}, exclude_defaults=True)
    extras = "".join(f", {key} {value}" for key, value in chosen.items())
    return f"{source.data.stem} {source.split}{extras}"


def card_page(
    card: ModelCard, scores: Mapping[str, Evaluation], pictures: Sequence[tuple[str, str]]
) -> str:
    """Return the card as a Markdown page.

    Args:
        card: of the weights.
        scores: evaluations by the name of the data.
        pictures: (caption, file name) of what lies beside the page.
    """
    parts = [f"# {card.name}", _what_it_is(card)]
    parts += [_scores(name, evaluation) for name, evaluation in scores.items()]
    parts += [f"![{caption}]({file})" for caption, file in pictures]
    parts += ["## Training", _facts(card.training), "## Recipe", _recipe(card.training)]
    parts += ["## Licence and use", card.licence or "No licence is stated.", _LIMITS]
    return "\n\n".join(parts) + "\n"


def _what_it_is(card: ModelCard) -> str:
    network = NETWORKS[card.network].card
    names = ", ".join(card.classes.names)
    return (
        f"Weights of {network.title} (`{card.network}`; {network.paper}, {network.url}) for the "
        f"{len(card.classes)} classes of {card.classes.name}: {names}. At home at pictures of "
        f"{card.input_hw[1]}x{card.input_hw[0]} pixels (width x height)." + _how_it_decides(card)
    )


def _how_it_decides(card: ModelCard) -> str:
    if card.threshold is None:
        return ""
    return (
        f" One channel, whose sigmoid is the probability of {card.classes.names[1]}: above "
        f"{card.threshold:.2f} a pixel counts as that. The threshold was chosen on val."
    )


def _scores(name: str, evaluation: Evaluation) -> str:
    measures = ", ".join(
        f"{measure.replace('_', ' ')} {percent(value)} %"
        for measure, value in evaluation.metrics().items()
    )
    rows = [
        f"| {label} | " + " | ".join(percent(value) for value in values.values()) + " |"
        for label, values in evaluation.class_metrics().items()
    ]
    columns = [COLUMN_TITLES[key] for key in next(iter(evaluation.class_metrics().values()))]
    head = ["| class | " + " | ".join(columns) + " |", "|---" + "|---:" * len(columns) + "|"]
    return "\n".join(
        [
            f"## Scores on {name}",
            "",
            f"{len(evaluation.pictures)} pictures at their own size, fp32, no mirroring, void "
            f"left out: {measures}.",
            "",
            *head,
            *rows,
        ]
    )


def _facts(training: Mapping[str, Any]) -> str:
    return "\n".join(
        f"- {name.replace('_', ' ')}: {_plain(value)}"
        for name, value in training.items()
        if name != "recipe"
    )


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(part)}" for key, part in value.items())
    return "; ".join(map(_plain, value)) if isinstance(value, list | tuple) else str(value)


def _recipe(training: Mapping[str, Any]) -> str:
    return "```yaml\n" + yaml.safe_dump(training["recipe"], sort_keys=False).rstrip() + "\n```"


_LIMITS = (
    "The weights know scenes like those they were trained on, and nothing else: other cities, "
    "cameras, weather or the night lower the scores. They are no safety component of a vehicle."
)
