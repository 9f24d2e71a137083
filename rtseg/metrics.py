"""How well class maps match the truth: counts that add up over a data set, and what they mean.

Every measure is a pure function of counts, and counts of two pictures add, so that a data set, a
film or the parts of several processes are measured alike. All results lie in 0–1; a class that a
measure says nothing about is nan, and means leave it out.

Conventions: a pixel whose truth is void counts nowhere; a labelled pixel whose prediction is void
or no class of the table is an error. (Protocol of SegNet and of most CamVid tables.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from rtseg.classes import VOID
from rtseg.errors import DataError

Labels = npt.NDArray[np.integer]
Counts = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]

BOUNDARY_TOLERANCE = 0.0075
"""How far a boundary may be off, as a share of the picture's diagonal (SegNet, section 3.3)."""


def confusion_counts(truth: Labels, prediction: Labels, num_classes: int) -> Counts:
    """Count pixels by true and predicted class.

    Args:
        truth: [H, W] (or any shape) of ids 0…K-1; 255 is void and counts nowhere.
        prediction: the same shape; any id is allowed.
        num_classes: K, 1–255.

    Returns:
        int64 [K, K+1]: rows are the truth, columns the prediction; the last column holds
        predictions that are void or no class of the table.

    Raises:
        DataError: the shapes differ, or the truth holds an id that is neither a class nor void.
    """
    if truth.shape != prediction.shape:
        raise DataError(f"truth is {truth.shape} but prediction {prediction.shape}; one shape only")
    if not 1 <= num_classes <= VOID:
        raise DataError(f"num_classes is {num_classes}; 1 to {VOID} are allowed")
    # One histogram over 16-bit pairs needs no masks: the table is cut to size afterwards.
    pairs = _truth_ids(truth, num_classes).astype(np.uint16) << 8
    pairs |= _predicted_ids(prediction)
    table = np.bincount(pairs.ravel(), minlength=1 << 16).reshape(256, 256)[:num_classes]
    counts = np.empty((num_classes, num_classes + 1), np.int64)
    counts[:, :-1] = table[:, :num_classes]
    counts[:, -1] = table[:, num_classes:].sum(axis=1)
    return counts


def _truth_ids(truth: Labels, num_classes: int) -> npt.NDArray[np.uint8]:
    wide = _wide(truth)
    wrong = (wide != VOID) & ((wide < 0) | (wide >= num_classes))
    if wrong.any():
        ids = ", ".join(str(value) for value in np.unique(truth[wrong])[:8])
        raise DataError(
            f"the truth holds id {ids}; 0 to {num_classes - 1} and {VOID} (void) are allowed: "
            "map other ids in the data set's configuration"
        )
    return np.asarray(truth, np.uint8)


def _predicted_ids(prediction: Labels) -> npt.NDArray[np.uint8]:
    if prediction.dtype == np.uint8:
        return prediction.astype(np.uint8, copy=False)
    wide = _wide(prediction)
    return np.where((wide >= 0) & (wide <= VOID), wide, VOID).astype(np.uint8)


def _wide(labels: Labels) -> Labels:
    """Return labels of a type that can be compared with 255; int8 can't, in newer numpy."""
    return labels if labels.dtype.itemsize > 1 or labels.dtype == np.uint8 else labels.astype(int)


def iou(confusion: Counts) -> Shares:
    """Return the intersection over union of each class, [K].

    A class that stands neither in the truth nor in the prediction is nan; one that is only
    predicted is 0.
    """
    hits, truth, predicted = _marginals(confusion)
    return _ratio(hits, truth + predicted - hits)


def class_accuracy(confusion: Counts) -> Shares:
    """Return the share of each class's pixels that is found, [K] (recall); nan without truth."""
    hits, truth, _ = _marginals(confusion)
    return _ratio(hits, truth)


def class_shares(confusion: Counts) -> Shares:
    """Return the share of each class in the labelled pixels of the truth, [K]."""
    _, truth, _ = _marginals(confusion)
    return _ratio(truth, np.full_like(truth, truth.sum()))


def mean_iou(confusion: Counts) -> float:
    """Return the mean of `iou` over the classes that occur; nan where none does."""
    return mean_of(iou(confusion))


def mean_class_accuracy(confusion: Counts) -> float:
    """Return the mean of `class_accuracy` over the classes that the truth holds."""
    return mean_of(class_accuracy(confusion))


def pixel_accuracy(confusion: Counts) -> float:
    """Return the share of labelled pixels whose class is right; nan without labelled pixels."""
    hits, truth, _ = _marginals(confusion)
    return share(int(hits.sum()), int(truth.sum()))


def frequency_weighted_iou(confusion: Counts) -> float:
    """Return the mean of `iou`, each class weighted with its share of the truth (Long 2015, 5)."""
    shares = class_shares(confusion)
    present = shares > 0
    return float((shares[present] * iou(confusion)[present]).sum()) if present.any() else math.nan


def mean_of(values: Shares) -> float:
    """Return the mean of the values that are not nan; nan where there is none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else math.nan


def share(part: int, whole: int) -> float:
    """Return part / whole, or nan where there is no whole."""
    return part / whole if whole else math.nan


def _marginals(confusion: Counts) -> tuple[Counts, Counts, Counts]:
    """Return hits, true pixels and predicted pixels of each class of a [K, K+1] or [K, K]."""
    classes = confusion.shape[0]
    if confusion.ndim != 2 or confusion.shape[1] - classes not in (0, 1):
        raise DataError(f"a confusion is [K, K+1] or [K, K], not {list(confusion.shape)}")
    return np.diagonal(confusion), confusion.sum(axis=1), confusion[:, :classes].sum(axis=0)


def _ratio(part: Counts, whole: Counts) -> Shares:
    result = np.full(part.shape, math.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


@dataclass(frozen=True, slots=True, eq=False)
class BoundaryCounts:
    """Boundary pixels of each class, int64 [K] each; `a + b` counts both pictures.

    Args:
        truth: true boundary pixels.
        truth_matched: those of them with a predicted boundary of their class within the tolerance.
        predicted: predicted boundary pixels.
        predicted_matched: those of them with a true boundary of their class within the tolerance.
    """

    truth: Counts
    truth_matched: Counts
    predicted: Counts
    predicted_matched: Counts

    def __add__(self, other: BoundaryCounts) -> BoundaryCounts:
        return BoundaryCounts(
            self.truth + other.truth,
            self.truth_matched + other.truth_matched,
            self.predicted + other.predicted,
            self.predicted_matched + other.predicted_matched,
        )


def boundary_counts(
    truth: Labels, prediction: Labels, num_classes: int, tolerance: float = BOUNDARY_TOLERANCE
) -> BoundaryCounts:
    """Count the boundary pixels of each class that have a counterpart close by.

    A pixel lies on its class's boundary when one of its four neighbours has another label; the
    edge of the picture is no boundary. Void hides where a class ends. So a step from a class to
    void is no true boundary, and a predicted boundary pixel is judged only where no void lies
    within the tolerance; a true one may be matched by a prediction inside void.

    Args:
        truth: [H, W] as in `confusion_counts`.
        prediction: [H, W].
        num_classes: K.
        tolerance: the largest distance between counterparts, a share of the picture's diagonal.

    Raises:
        DataError: as `confusion_counts`.
    """
    if truth.shape != prediction.shape or truth.ndim != 2:
        raise DataError(f"truth is {truth.shape} but prediction {prediction.shape}; both [H, W]")
    true_ids, predicted_ids = _truth_ids(truth, num_classes), _predicted_ids(prediction)
    reach_px = tolerance * math.hypot(*truth.shape)
    void = true_ids == VOID
    true_edges = _edges(true_ids, void)
    predicted_edges = _edges(predicted_ids, np.zeros_like(void))
    judged = ~_near(void, max(reach_px, 1.0))  # the neighbours of void, at the least
    counts = np.zeros((4, num_classes), np.int64)
    for label in range(num_classes):
        true = true_edges & (true_ids == label)
        predicted = predicted_edges & (predicted_ids == label)
        if true.any() or predicted.any():
            judged_predicted = predicted & judged
            counts[:, label] = (
                np.count_nonzero(true),
                np.count_nonzero(true & _near(predicted, reach_px)),
                np.count_nonzero(judged_predicted),
                np.count_nonzero(judged_predicted & _near(true, reach_px)),
            )
    return BoundaryCounts(*counts)


def _edges(labels: npt.NDArray[np.uint8], hidden: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return where a four-neighbour has another label, steps to or from `hidden` left out."""
    edges = np.zeros(labels.shape, np.bool_)
    down = (labels[1:] != labels[:-1]) & ~hidden[1:] & ~hidden[:-1]
    right = (labels[:, 1:] != labels[:, :-1]) & ~hidden[:, 1:] & ~hidden[:, :-1]
    edges[1:] |= down
    edges[:-1] |= down
    edges[:, 1:] |= right
    edges[:, :-1] |= right
    return edges


def _near(mask: npt.NDArray[np.bool_], reach_px: float) -> npt.NDArray[np.bool_]:
    """Return where a pixel of `mask` lies within `reach_px` (Euclidean, between centres)."""
    if not mask.any():
        return np.zeros_like(mask)
    distance = cv2.distanceTransform(
        (~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE, dstType=cv2.CV_32F
    )
    return np.asarray(distance <= reach_px + 1e-4)  # the distances are float32


def boundary_f_score(counts: BoundaryCounts) -> Shares:
    """Return the F1 score of each class's boundary, [K] (Csurka 2013; SegNet, section 3.3).

    The harmonic mean of precision (predicted boundary pixels near a true one) and recall (true
    ones near a predicted one). The papers average the scores of single pictures; here the counts
    of all pictures are summed first, as for IoU, so that a class of which a picture shows three
    pixels doesn't weigh as much as one that fills it. A class without any boundary is nan.
    """
    precision = _ratio(counts.predicted_matched, counts.predicted)
    recall = _ratio(counts.truth_matched, counts.truth)
    either = (counts.truth > 0) | (counts.predicted > 0)
    precision, recall = np.nan_to_num(precision), np.nan_to_num(recall)
    both = precision + recall
    score = np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0)
    return np.where(either, score, math.nan)


@dataclass(frozen=True, slots=True)
class TemporalCounts:
    """Pixels of consecutive frames; `a + b` counts both pairs.

    Args:
        kept: judged pixels whose predicted label is the same in both frames.
        judged: pixels that were looked at.
    """

    kept: int = 0
    judged: int = 0

    def __add__(self, other: TemporalCounts) -> TemporalCounts:
        return TemporalCounts(self.kept + other.kept, self.judged + other.judged)


def temporal_counts(
    previous: Labels,
    current: Labels,
    previous_truth: Labels | None = None,
    current_truth: Labels | None = None,
) -> TemporalCounts:
    """Count the pixels whose predicted label stays from one frame to the next.

    With the truth of both frames, only pixels are judged whose true label is the same in both and
    not void, so that motion is not taken for flicker. Without, every pixel is.

    Args:
        previous: predicted labels [H, W] of one frame.
        current: predicted labels [H, W] of the next frame.
        previous_truth: true labels [H, W] of the one.
        current_truth: true labels [H, W] of the other.

    Raises:
        DataError: the shapes differ, or the truth of only one frame is given.
    """
    maps = [previous, current, previous_truth, current_truth]
    shapes = {labels.shape for labels in maps if labels is not None}
    if len(shapes) != 1 or (previous_truth is None) != (current_truth is None):
        raise DataError("consecutive frames need one size, and the truth of both or of neither")
    kept = previous == current
    if previous_truth is None or current_truth is None:
        return TemporalCounts(int(np.count_nonzero(kept)), kept.size)
    judged = (previous_truth == current_truth) & (current_truth != VOID)
    return TemporalCounts(int(np.count_nonzero(kept & judged)), int(np.count_nonzero(judged)))


def temporal_consistency(counts: TemporalCounts) -> float:
    """Return the share of judged pixels whose label stays; 1 minus it is the flicker."""
    return share(counts.kept, counts.judged)
