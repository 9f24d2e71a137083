"""Objects from a class map: connected parts of a class, and parts divided by seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from rtseg.errors import DataError
from rtseg.instances.instance_map import (
    MOST_INSTANCES,
    Float32,
    InstanceMap,
    UInt8,
    empty_map,
)

Int32 = npt.NDArray[np.int32]
Bool = npt.NDArray[np.bool_]
Area = tuple[slice, slice]

Divide = Callable[[Bool, Int32, Area], Int32]
"""Takes a part's pixels [h, w], the seeds in it numbered from 1 on (0: none) and where in the
picture it lies; returns which seed every pixel belongs to, 0 outside the part."""

MIN_AREA_PX = 20
"""Smaller objects are dropped, unless the caller says otherwise."""


def connected_instances(
    labels: UInt8,
    things: Sequence[int],
    confidence: Float32 | None = None,
    min_area_px: int = MIN_AREA_PX,
) -> InstanceMap:
    """Take each connected part (eight neighbours) of a countable class for an object.

    What any semantic network gives without further training; objects of a class that touch are
    one.

    Args:
        labels: uint8 [H, W], class ids.
        things: ids of the countable classes.
        confidence: float32 [H, W], how sure each pixel's label is, 0-1; None: entirely.
        min_area_px: smaller parts are dropped.
    """
    nowhere = np.zeros(labels.shape, np.bool_)
    return divided_instances(labels, nowhere, things, _undivided, confidence, min_area_px)


def divided_instances(
    labels: UInt8,
    seeds: Bool,
    things: Sequence[int],
    divide: Divide,
    confidence: Float32 | None = None,
    min_area_px: int = MIN_AREA_PX,
    min_seed_px: int = 1,
) -> InstanceMap:
    """Divide the connected parts of countable classes by the seeds within them.

    A part with one seed or none is one object; one with several goes to `divide`.

    Args:
        labels: uint8 [H, W], class ids.
        seeds: bool [H, W]; connected pixels of one class are one seed.
        things: ids of the countable classes.
        divide: gives the pixels of a part to its seeds.
        confidence: as in `connected_instances`.
        min_area_px: smaller objects are dropped.
        min_seed_px: smaller seeds don't count.

    Raises:
        DataError: seeds or confidence have another size than the labels.
    """
    for name, other in (("seeds", seeds), ("confidence", confidence)):
        if other is not None and other.shape != labels.shape:
            raise DataError(
                f"{name} are {list(other.shape)} but the labels {list(labels.shape)}; one size only"
            )
    segments = np.zeros(labels.shape, np.int32)
    class_ids: list[int] = []
    for thing in things:
        for part, area in _parts(labels == thing, min_area_px):
            numbered = _seeds_in(part & seeds[area], min_seed_px)
            divided = divide(part, numbered, area) if numbered.max() > 1 else part.astype(np.int32)
            where = divided > 0
            segments[area][where] = divided[where] + len(class_ids)
            class_ids += [thing] * int(divided.max())
    return collected(segments, class_ids, confidence, min_area_px)


def collected(
    segments: Int32, class_ids: Sequence[int], confidence: Float32 | None, min_area_px: int
) -> InstanceMap:
    """Make an instance map of segments numbered 1 to N (0: none): small ones go, sure ones first.

    An object's score is the mean confidence of its pixels.
    """
    if not class_ids:
        return empty_map(*segments.shape)
    count = len(class_ids) + 1
    areas = np.bincount(segments.ravel(), minlength=count)
    weights = None if confidence is None else confidence.ravel()
    sums = np.bincount(segments.ravel(), weights, count)
    scores = (sums / np.maximum(areas, 1)).clip(0, 1)
    order = np.lexsort((-areas, -scores))
    kept = [int(n) for n in order if n > 0 and areas[n] >= max(min_area_px, 1)][:MOST_INSTANCES]
    table = np.zeros(count, np.uint16)
    table[kept] = np.arange(1, len(kept) + 1)
    classes = np.array([0, *class_ids], np.uint8)
    return InstanceMap(table[segments], classes[kept], scores[kept].astype(np.float32))


def nearest_seed(part: Bool, seeds: Int32) -> Int32:
    """Give every pixel of a part [h, w] to the nearest seed (0: none), in a straight line."""
    _, label = cv2.distanceTransformWithLabels(
        (seeds == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    owners = np.zeros(int(label.max()) + 1, np.int32)
    owners[label[seeds > 0]] = seeds[seeds > 0]
    given = owners[label]
    given[~part] = 0
    return np.asarray(given, np.int32)


def _undivided(part: Bool, seeds: Int32, area: Area) -> Int32:
    return part.astype(np.int32)


def _parts(mask: Bool, min_area_px: int) -> list[tuple[Bool, Area]]:
    """Return the connected parts of a mask, each within its box, small ones left out."""
    if not mask.any():
        return []
    count, ids, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    parts = []
    for number in range(1, count):
        left, top, width, height, pixels = (int(value) for value in stats[number])
        if pixels >= min_area_px:
            area = slice(top, top + height), slice(left, left + width)
            parts.append((np.asarray(ids[area] == number), area))
    return parts


def _seeds_in(mask: Bool, min_seed_px: int) -> Int32:
    """Return the connected seeds numbered from 1 on, int32 [h, w]; small ones are 0."""
    count, ids, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    kept = [n for n in range(1, count) if stats[n, cv2.CC_STAT_AREA] >= min_seed_px]
    table = np.zeros(count, np.int32)
    table[kept] = np.arange(1, len(kept) + 1)
    return np.asarray(table[ids], np.int32)
