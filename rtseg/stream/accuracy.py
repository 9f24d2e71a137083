"""How right the class maps are, where the source knows the truth (the demo drive)."""

from __future__ import annotations

import numpy as np

from rtseg.classes import ClassSet
from rtseg.frames import Picture
from rtseg.metrics import (
    TemporalCounts,
    confusion_counts,
    mean_iou,
    pixel_accuracy,
    temporal_consistency,
    temporal_counts,
)
from rtseg.stream.sinks.sink import Sink


class AccuracySink(Sink):
    """Counts right and wrong pixels of every picture whose frame carries its truth.

    Args:
        classes: the classes of the labels; the truth's must be the same.
    """

    name = "accuracy"

    def __init__(self, classes: ClassSet) -> None:
        self._num_classes = len(classes)
        self._confusion = np.zeros((len(classes), len(classes) + 1), np.int64)
        self._temporal = TemporalCounts(0, 0)
        self._previous: Picture | None = None

    def write(self, picture: Picture) -> None:
        """Count one picture."""
        truth = picture.frame.truth
        if truth is None:
            return
        labels = picture.class_map.labels
        self._confusion += confusion_counts(truth, labels, self._num_classes)
        before = self._previous
        if before is not None and before.frame.hw == picture.frame.hw:
            self._temporal += temporal_counts(
                before.class_map.labels, labels, before.frame.truth, truth
            )
        self._previous = picture

    def figures(self) -> dict[str, float]:
        """Return shares 0-1 by name: mean_iou, pixel_accuracy, temporal_consistency; or nothing."""
        if not self._confusion.any():
            return {}
        return {
            "mean_iou": mean_iou(self._confusion),
            "pixel_accuracy": pixel_accuracy(self._confusion),
            "temporal_consistency": temporal_consistency(self._temporal),
        }
