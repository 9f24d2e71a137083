"""Every measure of a binary network at every threshold, counted over a data set exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rtseg.networks.binary import EVEN_THRESHOLD, NUM_CLASSES, threshold_logit
from rtseg.training.mask_precision import MOST_HITS, mask_hits

THRESHOLDS: tuple[float, ...] = tuple(percent / 100 for percent in range(1, 100))
"""0.01, 0.02, …, 0.99."""

Counts = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]
UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class ThresholdCurve:
    """Counts from which each threshold's scores follow; `a + b` counts both data sets.

    Args:
        histogram: int64 [2, 100]: pixels by true class and by how many thresholds their
            probability is above.
        hits: int64 [99]: at each threshold, the pictures' `mask_hits`, summed.
        pictures: how many pictures those are.
    """

    histogram: Counts
    hits: Counts
    pictures: int

    @classmethod
    def nothing(cls) -> ThresholdCurve:
        """Return the counts of no picture."""
        count = len(THRESHOLDS)
        return cls(np.zeros((NUM_CLASSES, count + 1), np.int64), np.zeros(count, np.int64), 0)

    @classmethod
    def of_picture(cls, truth: UInt8, levels: UInt8) -> ThresholdCurve:
        """Count one picture.

        Args:
            truth: [H, W], 0 background, 1 object, 255 void, which counts nowhere.
            levels: [H, W], as `threshold_levels` gives them.
        """
        rows = [
            np.bincount(levels[truth == label], minlength=len(THRESHOLDS) + 1)
            for label in range(NUM_CLASSES)
        ]
        histogram = np.stack(rows).astype(np.int64)
        if not histogram.any():
            return cls.nothing()
        invented, found = _above(histogram)
        return cls(histogram, mask_hits(found, invented + histogram[1].sum()), 1)

    def __add__(self, other: ThresholdCurve) -> ThresholdCurve:
        return ThresholdCurve(
            self.histogram + other.histogram,
            self.hits + other.hits,
            self.pictures + other.pictures,
        )

    def iou(self) -> Shares:
        """Return the object's IoU at each threshold, [99]; nan without true or found pixels."""
        invented, found = _above(self.histogram)
        return _ratio(found, self.histogram[1].sum() + invented)

    def dice(self) -> Shares:
        """Return the object's Dice coefficient at each threshold, [99]; nan as `iou`."""
        invented, found = _above(self.histogram)
        return _ratio(2 * found, self.histogram[1].sum() + invented + found)

    def mask_precision(self) -> Shares:
        """Return the pictures' mean `mask_precision` at each threshold, [99]."""
        return _ratio(self.hits, np.full_like(self.hits, MOST_HITS * self.pictures))

    def best_threshold(self) -> float:
        """Return the threshold of the highest IoU, which is that of the highest Dice too.

        Of several the one nearest to 0.5; 0.5 where the truth has no object.
        """
        iou = np.nan_to_num(self.iou())
        if not iou.any():
            return EVEN_THRESHOLD
        best = np.flatnonzero(iou == iou.max())
        return min((THRESHOLDS[index] for index in best), key=lambda t: abs(t - EVEN_THRESHOLD))

    def confusion(self, threshold: float) -> Counts:
        """Return the confusion at one of the thresholds, int64 [2, 3], as `confusion_counts`."""
        invented, found = (row[THRESHOLDS.index(threshold)] for row in _above(self.histogram))
        background, objects = self.histogram.sum(axis=1)
        return np.array(
            [[background - invented, invented, 0], [objects - found, found, 0]], np.int64
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the scores in a form that JSON can hold; what is nan here is None there."""
        columns = {
            "dice": self.dice(), "iou": self.iou(), "mask_precision": self.mask_precision(),
        }  # fmt: skip
        values = {
            name: [None if np.isnan(value) else float(value) for value in column]
            for name, column in columns.items()
        }
        return {"thresholds": list(THRESHOLDS), **values}


def threshold_levels(logits: Tensor) -> UInt8:
    """Return uint8 [N, H, W]: above how many of the thresholds the sigmoid of each pixel is.

    Args:
        logits: [N, 1, H, W], of any device; waits for it. Compared as `object_mask` does.
    """
    edges = torch.tensor([threshold_logit(one) for one in THRESHOLDS], dtype=torch.float32)
    levels = torch.bucketize(logits[:, 0].float().contiguous(), edges.to(logits.device))
    found: UInt8 = levels.to(torch.uint8).cpu().numpy()
    return found


def _above(histogram: Counts) -> tuple[Counts, Counts]:
    """Return the pixels above each threshold, [99] of the background's and of the object's."""
    background, objects = histogram.sum(axis=1, keepdims=True) - histogram.cumsum(axis=1)
    return background[:-1], objects[:-1]


def _ratio(part: Counts, whole: Counts) -> Shares:
    result = np.full(part.shape, np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result
