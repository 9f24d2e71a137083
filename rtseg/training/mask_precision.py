"""How well a mask of one object matches, as Kaggle's salt identification challenge scores it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rtseg.classes import VOID
from rtseg.errors import DataError

IOU_PERCENT = np.arange(50, 100, 5)
"""The IoUs, in percent, that a mask must exceed: 50, 55, …, 95."""
MOST_HITS = len(IOU_PERCENT)

Counts = npt.NDArray[np.int64]


def mask_precision(truth: npt.NDArray[np.integer], prediction: npt.NDArray[np.integer]) -> float:
    """Return the mean precision over the IoU thresholds 0.5, 0.55, …, 0.95 of one picture.

    A picture holds one object, or none: precision TP / (TP + FP + FN) at a threshold is 1 where
    the IoU exceeds it, else 0. Where neither mask has a pixel it is 1 at all, where only one has,
    0. The score of a data set is the mean over its pictures (TGS Salt Identification Challenge,
    2018, "Evaluation").

    Args:
        truth: [H, W], 1 for the object, 0 for the background, 255 for void, which doesn't count.
        prediction: [H, W], 1 for the object.

    Raises:
        DataError: the shapes differ.
    """
    if truth.shape != prediction.shape:
        raise DataError(f"truth is {truth.shape} but prediction {prediction.shape}; one shape only")
    true, found = truth == 1, (prediction == 1) & (truth != VOID)
    both, either = np.count_nonzero(true & found), np.count_nonzero(true | found)
    return int(mask_hits(np.int64(both), np.int64(either))) / MOST_HITS


def mask_hits(intersection: np.int64 | Counts, union: np.int64 | Counts) -> Any:
    """Return how many of the thresholds the IoU exceeds, int64 0–10, of pixel counts of any shape.

    All of them where the union is empty. Compared in whole numbers, so that an IoU of exactly a
    threshold doesn't exceed it.
    """
    exceeded = (
        100 * np.asarray(intersection)[..., None] > IOU_PERCENT * np.asarray(union)[..., None]
    )
    return np.where(np.asarray(union) == 0, MOST_HITS, exceeded.sum(axis=-1))
