"""Class scores averaged over time, so that labels don't flicker where the picture stands still."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from rtseg.classes import VOID
from rtseg.fit import Fit, resample
from rtseg.frames import Image, Labels
from rtseg.stream.inferred import Inferred

REFERENCE_FPS = 30.0
"""The strength is what remains of the past after one frame of this rate."""
SAME_LEVELS = 12.0
"""A pixel that changed by so many grey levels keeps 1/e of what it would keep of the past."""
LONGEST_GAP_S = 0.5
"""After a longer gap between frames the past is forgotten."""
LEAST_CORRELATION = 0.6
"""Pictures that resemble each other less are two scenes; consecutive frames have 0.7 and more."""
_THUMBNAIL_WH = (32, 18)

Scores = npt.NDArray[np.float32]


class TemporalSmoothing:
    """An exponential average of the class probabilities, decided afterwards.

    It works in the engine's own geometry, frame by frame. What remains of the past depends on the
    time that has passed, so that dropped frames don't slow it down, and on the picture: where its
    brightness changed, something moved, and the past says little. So standing things become calm
    and moving ones leave no trail. A cut, a gap, a jump back and another size start afresh.

    An engine that gives labels is averaged as well: each label is a vote with probability 1.

    Args:
        strength: 0 to below 1: what remains of the past after 1/30 s where nothing moves.
        num_classes: K.
    """

    def __init__(self, strength: float, num_classes: int) -> None:
        self._strength = strength
        self._num_classes = num_classes
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._mean: Scores | None = None
        self._grey: npt.NDArray[np.uint8] | None = None
        self._fit: Fit | None = None
        self._pts_s = 0.0

    def labels(self, item: Inferred) -> Labels:
        """Take the next engine output; return smoothed labels, uint8 [*engine_hw].

        Void where the input shows no frame.
        """
        fit = item.fit
        labels = np.full(fit.engine_hw, VOID, np.uint8)
        labels[: fit.content_hw[0], : fit.content_hw[1]] = best_class(self.scores(item))
        return labels

    def scores(self, item: Inferred) -> Scores:
        """Take the next engine output; return the mean, float32 [K, *content_hw], only to read."""
        fit, passed_s = item.fit, item.frame.pts_s - self._pts_s
        grey = _half_size_grey(item.frame.image_bgr, fit)
        scores = _planes(item, self._num_classes)
        known = self._fit == fit and 0 < passed_s <= LONGEST_GAP_S
        if self._mean is None or self._grey is None or not known or _is_cut(self._grey, grey):
            self._mean = scores.copy()
        else:
            kept = self._strength ** (passed_s * REFERENCE_FPS)
            _approach(self._mean, scores, 1 - kept * _standing(self._grey, grey, fit.content_hw))
        self._grey, self._fit, self._pts_s = grey, fit, item.frame.pts_s
        return self._mean


def best_class(scores: Scores) -> Labels:
    """Return the class with the highest score, the first among equals: [K, H, W] to uint8 [H, W].

    Class by class in OpenCV, a fraction of the time of `numpy.argmax` over the first axis.
    """
    best = scores[0].copy()
    labels = np.zeros(best.shape, np.uint8)
    for label in range(1, len(scores)):
        better = cv2.compare(scores[label], best, cv2.CMP_GT)
        cv2.max(scores[label], best, dst=best)
        # Later winners have larger ids, so the largest is the last winner.
        cv2.max(labels, np.bitwise_and(better, np.uint8(label)), dst=labels)
    return labels


def _planes(item: Inferred, num_classes: int) -> Scores:
    """Return the class probabilities where the input shows the frame, float32 [K, h, w]."""
    height, width = item.fit.content_hw
    output = item.output[..., :height, :width]
    if item.is_scores:
        return output
    return np.stack([output == label for label in range(num_classes)]).astype(np.float32)


def _approach(mean: Scores, scores: Scores, speed: npt.NDArray[np.float32]) -> None:
    """Move `mean` towards `scores` by the share `speed` [H, W], in place."""
    step = np.empty_like(speed)
    for old, new in zip(mean, scores, strict=True):
        np.subtract(new, old, out=step)
        step *= speed
        old += step


def _standing(
    before: npt.NDArray[np.uint8], now: npt.NDArray[np.uint8], hw: tuple[int, int]
) -> npt.NDArray[np.float32]:
    """Return how little the picture changed, 1 to 0, float32 [*hw]."""
    change = cv2.blur(cv2.absdiff(before, now), (3, 3))
    share = cv2.LUT(change, np.exp(-((np.arange(256) / SAME_LEVELS) ** 2)).astype(np.float32))
    return np.asarray(cv2.resize(share, hw[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _half_size_grey(image_bgr: Image, fit: Fit) -> npt.NDArray[np.uint8]:
    """Return what the engine sees, at half its input's resolution, uint8 grey."""
    height, width = (max(1, size // 2) for size in fit.content_hw)
    small = np.empty((height, width, 3), np.uint8)
    resample(image_bgr[fit.seen], small)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)


def _is_cut(before: npt.NDArray[np.uint8], now: npt.NDArray[np.uint8]) -> bool:
    """Return whether two pictures show two scenes: coarse thumbnails don't correlate."""
    thumbnails = [
        cv2.resize(grey, _THUMBNAIL_WH, interpolation=cv2.INTER_AREA).astype(np.float32)
        for grey in (before, now)
    ]
    one, other = (thumbnail - thumbnail.mean() for thumbnail in thumbnails)
    size = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) < LEAST_CORRELATION * size
