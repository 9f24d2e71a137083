"""How well objects match the truth: average precision, and panoptic quality.

Pure functions of what single pictures add up to, as in `rtseg.metrics`. The truth of a picture is
two maps: class ids and object ids. A pixel of a countable class without an object (0) belongs to a
group that nobody counted. Void and groups are no mistake: predictions in them are not judged.

Average precision follows the Cityscapes benchmark (Cordts et al., CVPR 2016, section 4.2):
thresholds of 0.5 to 0.95 in steps of 0.05, pixel overlap, true objects below a least area ignored.
Panoptic quality follows Kirillov et al., CVPR 2019, https://arxiv.org/abs/1801.00868, section 4.
Both hold two things for one where their intersection over union is above the threshold, strictly;
objects of a map don't overlap, so no thing has two counterparts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtseg.classes import VOID
from rtseg.errors import DataError
from rtseg.instances.instance_map import InstanceMap
from rtseg.metrics import Counts, Labels, Shares

Bool = npt.NDArray[np.bool_]

THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""Overlaps at which average precision is measured."""
MIN_AREA_PX = 100
"""True objects below it are ignored in Cityscapes' pictures of 1024x2048."""
PANOPTIC_OVERLAP = 0.5

TRUE, FALSE, IGNORED = 1, 0, -1


@dataclass(frozen=True, slots=True, eq=False)
class InstanceMatches:
    """What became of every predicted object; `a + b` holds the objects of both.

    Args:
        class_ids: int64 [N], the class of each predicted object.
        scores: float64 [N].
        outcomes: int8 [N, T]: 1 true, 0 false, -1 not judged, at each of `THRESHOLDS`.
        objects: int64 [K], true objects of each class that are judged.
    """

    class_ids: Counts
    scores: Shares
    outcomes: npt.NDArray[np.int8]
    objects: Counts

    def __add__(self, other: InstanceMatches) -> InstanceMatches:
        return InstanceMatches(
            np.concatenate([self.class_ids, other.class_ids]),
            np.concatenate([self.scores, other.scores]),
            np.concatenate([self.outcomes, other.outcomes]),
            self.objects + other.objects,
        )


def match_instances(
    truth: Labels,
    truth_ids: Labels,
    prediction: InstanceMap,
    num_classes: int,
    things: Sequence[int],
    min_area_px: int = MIN_AREA_PX,
) -> InstanceMatches:
    """Compare a picture's objects with the truth, class by class.

    A predicted object that no true one of its class overlaps enough is false, unless a share of it
    above the threshold lies in void, in a group of its class or in objects too small to be judged.

    Args:
        truth: [H, W], class ids, 255 for void.
        truth_ids: [H, W], the object of every pixel, 0 for none; one class for each id.
        prediction: what was found, of the same size.
        num_classes: K.
        things: ids of the countable classes; objects of others are left out.
        min_area_px: true objects with fewer pixels are ignored.

    Raises:
        DataError: the sizes differ, or a true object has pixels of two classes.
    """
    _check_sizes(truth, truth_ids, prediction.ids)
    objects = np.zeros(num_classes, np.int64)
    _check_classes(truth, truth_ids)
    found = []
    for thing in things:
        mine = np.flatnonzero(prediction.class_ids == thing)
        overlaps, ignorable, count = _overlaps(truth, truth_ids, prediction, thing, min_area_px)
        objects[thing] = count
        found.append((mine, _outcomes(overlaps[mine], ignorable[mine])))
    order = np.concatenate([mine for mine, _ in found]) if found else np.zeros(0, np.int64)
    outcomes = [each for _, each in found] or [np.zeros((0, len(THRESHOLDS)), np.int8)]
    return InstanceMatches(
        prediction.class_ids[order].astype(np.int64),
        prediction.scores[order].astype(np.float64),
        np.concatenate(outcomes),
        objects,
    )


def no_matches(num_classes: int) -> InstanceMatches:
    """Return the matches of no picture, to start a sum with."""
    return InstanceMatches(
        np.zeros(0, np.int64),
        np.zeros(0),
        np.zeros((0, len(THRESHOLDS)), np.int8),
        np.zeros(num_classes, np.int64),
    )


def _overlaps(
    truth: Labels, truth_ids: Labels, prediction: InstanceMap, thing: int, min_area_px: int
) -> tuple[Shares, Shares, int]:
    """Return each predicted object's best overlap, the share of it that may be ignored, [N] each,
    and how many true objects of the class are judged."""
    of_class = (truth == thing) & (truth_ids > 0)
    numbers, areas = np.unique(truth_ids[of_class], return_counts=True)
    judged = areas >= min_area_px
    # 0: nothing of the class; 1: may be ignored; from 2 on: the true objects that are judged.
    places = np.where(judged, np.cumsum(judged) + 1, 1)
    index = np.zeros(truth.shape, np.int64)
    index[(truth == VOID) | ((truth == thing) & (truth_ids == 0))] = 1
    index[of_class] = places[np.searchsorted(numbers, truth_ids[of_class])]
    width = int(judged.sum()) + 2
    pairs = prediction.ids.astype(np.int64) * width + index
    table = np.bincount(pairs.ravel(), minlength=(len(prediction) + 1) * width).reshape(-1, width)
    shared, sizes = table[1:, 2:], table[1:].sum(axis=1)
    union = sizes[:, None] + areas[judged][None] - shared
    best = (shared / np.maximum(union, 1)).max(axis=1, initial=0.0)
    return best, table[1:, 1] / np.maximum(sizes, 1), int(judged.sum())


def _outcomes(overlaps: Shares, ignorable: Shares) -> npt.NDArray[np.int8]:
    """Return what becomes of objects at each threshold, int8 [N, T]."""
    thresholds = np.array(THRESHOLDS)
    hit = overlaps[:, None] > thresholds
    spared = ignorable[:, None] > thresholds
    return np.where(hit, TRUE, np.where(spared, IGNORED, FALSE)).astype(np.int8)


def average_precisions(matches: InstanceMatches) -> Shares:
    """Return the average precision of each class at each threshold, [K, T].

    A class without a true object that is judged is nan; one of which nothing was predicted is 0.
    """
    result = np.full((len(matches.objects), len(THRESHOLDS)), math.nan)
    for thing in np.flatnonzero(matches.objects):
        mine = matches.class_ids == thing
        for place in range(len(THRESHOLDS)):
            outcomes = matches.outcomes[mine, place]
            judged = outcomes != IGNORED
            result[thing, place] = _precision_under_recall(
                matches.scores[mine][judged],
                outcomes[judged] == TRUE,
                int(matches.objects[thing]),
            )
    return result


def _precision_under_recall(scores: Shares, hits: Bool, objects: int) -> float:
    """Return the area under precision over recall.

    One point for each score that occurs, so that objects of one score come in together and their
    order means nothing; and the point of precision 1 at recall 0. Each point weighs half the way
    to both its neighbours in recall, as in the benchmark's own evaluation.
    """
    if not len(scores):
        return 0.0
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    true = np.cumsum(hits[order])[last]
    # From the lowest score, where all are in, to the point where none is.
    precision = np.append((true / (last + 1))[::-1], 1.0)
    recall = np.append(true[::-1] / objects, 0.0)
    ends = np.concatenate([recall[:1], recall, [0.0]])
    return float(precision @ ((ends[:-2] - ends[2:]) / 2))


def mean_average_precision(matches: InstanceMatches, threshold: float | None = None) -> float:
    """Return AP, the mean over classes and thresholds, or over classes at one of `THRESHOLDS`.

    nan where no true object is judged.
    """
    values = average_precisions(matches)
    if threshold is not None:
        values = values[:, [THRESHOLDS.index(threshold)]]
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else math.nan


@dataclass(frozen=True, slots=True, eq=False)
class PanopticCounts:
    """Segments of each class, [K] each; `a + b` counts both pictures.

    Args:
        overlap: summed intersection over union of the matched segments, float64.
        matched: pairs that match (true positives).
        extra: predicted segments without a counterpart (false positives).
        missed: true segments without a counterpart (false negatives).
    """

    overlap: Shares
    matched: Counts
    extra: Counts
    missed: Counts

    def __add__(self, other: PanopticCounts) -> PanopticCounts:
        return PanopticCounts(
            self.overlap + other.overlap,
            self.matched + other.matched,
            self.extra + other.extra,
            self.missed + other.missed,
        )


@dataclass(frozen=True, slots=True)
class PanopticQuality:
    """Means over the classes that occur, 0-1; nan where none does.

    Args:
        quality: PQ, the product of the other two, class by class.
        segmentation: SQ, the mean overlap of the matched segments.
        recognition: RQ, the F1 score of finding segments.
    """

    quality: float
    segmentation: float
    recognition: float


def no_panoptic_counts(num_classes: int) -> PanopticCounts:
    """Return the counts of no picture, to start a sum with."""
    zeros = [np.zeros(num_classes, np.int64) for _ in range(3)]
    return PanopticCounts(np.zeros(num_classes), *zeros)


def panoptic_counts(
    truth: Labels,
    truth_ids: Labels,
    labels: Labels,
    ids: Labels,
    num_classes: int,
    things: Sequence[int],
) -> PanopticCounts:
    """Compare a picture's segments with the truth.

    A segment is an object, or all pixels of a class that isn't countable. Pixels of true void
    count in no union; an unmatched predicted segment is not judged where more than half of it lies
    in true void and groups of its class.

    Args:
        truth: [H, W], class ids, 255 for void.
        truth_ids: [H, W], objects; a countable class without one is a group.
        labels: [H, W], predicted class ids; what is no class of the table is void.
        ids: [H, W], predicted objects; a countable class without one is void.
        num_classes: K.
        things: ids of the countable classes.

    Raises:
        DataError: the sizes differ, or a true object has pixels of two classes.
    """
    _check_sizes(truth, truth_ids, labels)
    _check_sizes(truth, truth_ids, ids)
    _check_classes(truth, truth_ids)
    true, true_of = _segments(truth, truth_ids, num_classes, things)
    mine, mine_of = _segments(labels, ids, num_classes, things)
    cells = np.bincount((mine_of * len(true) + true_of).ravel(), minlength=len(mine) * len(true))
    shared = cells.reshape(len(mine), len(true))
    void = shared[:, true.class_ids == VOID].sum(axis=1)
    sizes = shared.sum(axis=1)
    same = mine.class_ids[:, None] == true.class_ids[None]
    union = sizes[:, None] + shared.sum(axis=0)[None] - shared - void[:, None]
    overlap = np.where(same & mine.judged[:, None] & true.judged[None], shared / union.clip(1), 0)
    hits = overlap > PANOPTIC_OVERLAP
    grouped = (shared * (same & ~true.judged[None] & (true.class_ids != VOID)[None])).sum(axis=1)
    spared = void + grouped > PANOPTIC_OVERLAP * sizes
    hit_rows = np.nonzero(hits)[0]
    return PanopticCounts(
        np.bincount(mine.class_ids[hit_rows], overlap[hits], num_classes).astype(np.float64),
        _per_class(mine.class_ids[hit_rows], num_classes),
        _per_class(mine.class_ids[mine.judged & ~hits.any(axis=1) & ~spared], num_classes),
        _per_class(true.class_ids[true.judged & ~hits.any(axis=0)], num_classes),
    )


def panoptic_quality(
    counts: PanopticCounts, classes: Sequence[int] | None = None
) -> PanopticQuality:
    """Return PQ, SQ and RQ, the means over the classes that occur, of all or of the given ids."""
    chosen = list(range(len(counts.matched)) if classes is None else classes)
    rows = [row for row in panoptic_by_class(counts)[chosen] if not np.isnan(row[0])]
    if not rows:
        return PanopticQuality(math.nan, math.nan, math.nan)
    quality, segmentation, recognition = np.mean(rows, axis=0).tolist()
    return PanopticQuality(quality, segmentation, recognition)


def panoptic_by_class(counts: PanopticCounts) -> Shares:
    """Return PQ, SQ and RQ of each class, [K, 3]; nan for a class that doesn't occur.

    Without a match SQ is 0, as in the authors' code.
    """
    half = counts.matched + 0.5 * counts.extra + 0.5 * counts.missed
    result = np.full((len(half), 3), math.nan)
    seen = half > 0
    result[seen, 0] = counts.overlap[seen] / half[seen]
    result[seen, 1] = counts.overlap[seen] / np.maximum(counts.matched[seen], 1)
    result[seen, 2] = counts.matched[seen] / half[seen]
    return result


@dataclass(frozen=True, slots=True, eq=False)
class _Segments:
    """Class of each segment, int64 [S], 255 for void, and whether it is one to judge, bool [S]."""

    class_ids: Counts
    judged: Bool

    def __len__(self) -> int:
        return len(self.class_ids)


def _segments(
    labels: Labels, ids: Labels, num_classes: int, things: Sequence[int]
) -> tuple[_Segments, Counts]:
    """Return the segments and, int64 [H, W], the number of every pixel's; groups aren't judged."""
    wide = labels.astype(np.int64)
    classes = np.where((wide >= 0) & (wide < num_classes), wide, VOID)
    objects = np.where(np.isin(classes, list(things)), ids.astype(np.int64), 0)
    keys, numbers = np.unique(classes << 32 | objects, return_inverse=True)
    class_ids = keys >> 32
    group = np.isin(class_ids, list(things)) & (keys & 0xFFFFFFFF == 0)
    segments = _Segments(class_ids, (class_ids != VOID) & ~group)
    return segments, numbers.reshape(labels.shape).astype(np.int64)


def _per_class(class_ids: Counts, num_classes: int) -> Counts:
    return np.bincount(class_ids, minlength=num_classes).astype(np.int64)


def _check_sizes(truth: Labels, truth_ids: Labels, prediction: Labels) -> None:
    shapes = [tuple(each.shape) for each in (truth, truth_ids, prediction)]
    if len(set(shapes)) != 1 or truth.ndim != 2:
        raise DataError(f"truth, its objects and the prediction are {shapes}; one [H, W] only")


def _check_classes(truth: Labels, truth_ids: Labels) -> None:
    """Refuse a true object whose pixels are of two classes."""
    where = (truth_ids > 0) & (truth != VOID)
    pairs = np.unique(truth_ids[where].astype(np.int64) << 8 | truth[where].astype(np.int64))
    numbers = pairs >> 8
    twice = numbers[1:][numbers[1:] == numbers[:-1]]
    if len(twice):
        classes = ", ".join(str(pair & 255) for pair in pairs[numbers == twice[0]])
        raise DataError(
            f"the true object {twice[0]} has pixels of classes {classes}; give each object one"
        )
