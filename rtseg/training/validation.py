"""Scoring the network while it learns, and keeping the best weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from rtseg.classes import ClassSet
from rtseg.networks.binary import EVEN_THRESHOLD
from rtseg.networks.trained import save_trained
from rtseg.training.datasets.dataset import SegmentationDataset
from rtseg.training.datasets.selection import Selection
from rtseg.training.distributed import Processes
from rtseg.training.evaluate import Evaluation, evaluate
from rtseg.training.model_card import model_card
from rtseg.training.plan import Epoch
from rtseg.training.session import Session
from rtseg.training.threshold_curve import ThresholdCurve

BATCH_SIZE = 4


def validate(
    session: Session, epoch: Epoch, progress: Callable[[int, int], None] | None = None
) -> dict[str, float]:
    """Score the network after an epoch, if it is time to, and save it if it is the best so far.

    Every process scores its share of the pictures. A binary network is scored at the threshold that
    is best on all of them.

    Args:
        session: the training.
        epoch: whose steps are all taken.
        progress: called with (done, total); what it raises ends the pass, and nothing is changed.

    Returns:
        The measures of the whole validation set by name; empty where it was not time.
    """
    done = epoch.index + 1
    if done % session.config.train.validate_every and done < len(session.plan.epochs):
        return {}
    session.group.copy_from_main(session.learner.best_network)
    indices = range(session.group.rank, len(session.val), session.group.world_size)
    share = Selection(session.val, indices)
    evaluation = (
        score(session, share, progress)
        if len(share)
        else _nothing(session.val.classes, even_threshold(session))
    )
    evaluation = _of_all_processes(session.group, evaluation).at_best_threshold()
    measures = evaluation.metrics()
    if session.learner.plateau.update(measures["mean_iou"], epoch.index):
        metrics = {f"val/{name}": value for name, value in measures.items()}
        save_weights(session, session.folder.best, metrics, evaluation.threshold)
    return measures


def score(
    session: Session,
    data: SegmentationDataset,
    progress: Callable[[int, int], None] | None = None,
    boundary: bool = False,
) -> Evaluation:
    """Score the network to keep on a data set, at the pictures' own size."""
    return evaluate(
        session.learner.best_network,
        data,
        session.normalisation,
        device=session.group.device,
        precision=session.config.train.precision,
        flip=session.config.train.validate_flip,
        batch_size=BATCH_SIZE,
        boundary=boundary,
        threshold=even_threshold(session),
        padding=session.config.augment.padding,
        progress=progress,
    )


def even_threshold(session: Session) -> float | None:
    """Return the threshold of a binary network before one is chosen; None for other networks."""
    return EVEN_THRESHOLD if session.config.network.binary else None


def save_weights(
    session: Session, path: Path, metrics: dict[str, float], threshold: float | None
) -> None:
    """Write the network to keep, with its card, in the main process."""
    if session.group.is_main:
        card = model_card(session, metrics, threshold)
        save_trained(path, session.learner.best_network, card)


def _of_all_processes(group: Processes, evaluation: Evaluation) -> Evaluation:
    """Return the evaluation with the counts of every process."""
    confusion, curve = group.sum(evaluation.confusion), evaluation.curve
    if curve is not None:
        pictures = group.sum(np.array([curve.pictures], np.int64))
        curve = ThresholdCurve(group.sum(curve.histogram), group.sum(curve.hits), int(pictures[0]))
    return dataclasses.replace(evaluation, confusion=confusion, curve=curve)


def _nothing(classes: ClassSet, threshold: float | None) -> Evaluation:
    """Return the evaluation of no picture."""
    confusion = np.zeros((len(classes), len(classes) + 1), np.int64)
    curve = None if threshold is None else ThresholdCurve.nothing()
    return Evaluation(classes, confusion, 0.0, (), curve=curve, threshold=threshold)
