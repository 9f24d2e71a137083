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

Progress = Callable[[int, int], None]

Scores = dict[str, Evaluation]
"""Evaluations by the name of the data: "val", and those of the configuration's `evaluate`."""


def score_weights(
    session: Session, path: Path, watch: Callable[[str], Callable[[int, int], None]]
) -> Scores:
    """Score a weights file on all data of the training, and write the figures into its card.

    A binary network's threshold is chosen first, on the validation pictures.

    Args:
        session: the training.
        path: the file.
        watch: makes the callback for one pass from a title.
    """
    trained = load_trained(path)
    trained.network.to(session.group.device)
    if trained.card.threshold is not None:
        trained = _with_best_threshold(session, trained, watch(f"threshold of {path.stem}"))
    scores = {
        name: _evaluate(session, trained, data, watch(f"scoring {path.stem} on {name}"))
        for name, data in all_data(session).items()
    }
    write_scores(path, trained, scores)
    return scores


def _with_best_threshold(
    session: Session, trained: TrainedNetwork, progress: Progress
) -> TrainedNetwork:
    """Choose a binary network's threshold on the validation pictures, before anything is scored."""
    found = _evaluate(session, trained, session.val, progress, boundary=False).at_best_threshold()
    return replace(trained, card=replace(trained.card, threshold=found.threshold))


def _evaluate(
    session: Session,
    trained: TrainedNetwork,
    data: SegmentationDataset,
    progress: Progress,
    boundary: bool = True,
) -> Evaluation:
    return evaluate(
        trained.network,
        data,
        trained.card.normalisation,
        device=session.group.device,
        precision=PRECISION,
        batch_size=BATCH_SIZE,
        boundary=boundary,
        threshold=trained.card.threshold,
        padding=trained.card.padding,
        progress=progress,
    )


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
