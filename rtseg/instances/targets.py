"""What instance networks learn, from object ids: distance, direction, energy levels, borders.

Directions and energy are those of Bai, Urtasun: Deep Watershed Transform for Instance
Segmentation, CVPR 2017, https://arxiv.org/abs/1611.08303, section 3; borders those of Iglovikov et
al.: TernausNetV2, CVPR Workshops 2018, https://arxiv.org/abs/1806.00844, section 3.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from rtseg.instances.components import Area, Bool
from rtseg.instances.instance_map import Float32, UInt8

Ids = npt.NDArray[np.integer]

ENERGY_BOUNDS_PX = (2, 3, 4, 5, 6, 8, 10, 12, 15, 19, 24, 30, 38, 48, 64)
"""A pixel's level is the number of these that its distance to the object's edge reaches.

Level 0 is no object, or within 2 px of its edge, as in the paper; the steps widen inwards, as
levels near the edge decide where objects are parted. The authors' own bounds are not published
with their figures; these are ours.
"""
ENERGY_LEVELS = len(ENERGY_BOUNDS_PX) + 1


def distance_and_direction(ids: Ids) -> tuple[Float32, Float32]:
    """Return how far every pixel is from its object's edge, and the way from there.

    The edge is the nearest pixel that is not of the object: background or another object; the
    picture's own edge is none. A pixel beside it has the distance 1.

    Args:
        ids: [H, W], the object of every pixel, 0 for none.

    Returns:
        Distances float32 [H, W] in pixels, 0 outside objects, and unit vectors float32 [2, H, W]
        (x to the right, y down) that lead away from the nearest edge; 0 outside objects and in one
        that fills the picture, which has no edge.
    """
    distance = np.zeros(ids.shape, np.float32)
    direction = np.zeros((2, *ids.shape), np.float32)
    for mask, area in _objects(ids):
        if mask.all():
            distance[area] = float(max(ids.shape))
            continue
        _, label = cv2.distanceTransformWithLabels(
            mask.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
        )
        rows, columns = np.nonzero(~mask)
        edges = np.zeros((int(label.max()) + 1, 2), np.float32)
        edges[label[rows, columns]] = np.stack([columns, rows], axis=1)
        y, x = np.nonzero(mask)
        away = np.stack([x, y], axis=1) - edges[label[y, x]]
        length = np.hypot(away[:, 0], away[:, 1])
        distance[area][mask] = length
        direction[:, area[0], area[1]][:, mask] = (away / length[:, None]).T
    return distance, direction


def energy_levels(distance: Float32) -> UInt8:
    """Return the level of every pixel, uint8 [H, W], from distances as above."""
    levels = np.searchsorted(np.array(ENERGY_BOUNDS_PX, np.float32), distance, side="right")
    return np.asarray(levels, np.uint8)


def object_weights(ids: Ids) -> Float32:
    """Return the weight of every pixel, float32 [H, W]: 1 / sqrt(its object's area), 0 outside.

    Small objects count more, pixel by pixel, and large ones more in all (Bai 2017, section 3.2).
    """
    _, inverse, areas = np.unique(ids, return_inverse=True, return_counts=True)
    weights = (1 / np.sqrt(areas))[inverse.reshape(ids.shape)].astype(np.float32)
    return np.where(ids > 0, weights, 0).astype(np.float32)


def touching_borders(ids: Ids, width_px: int = 3) -> Bool:
    """Return where two objects are near each other, bool [H, W].

    Args:
        ids: [H, W], the object of every pixel, 0 for none.
        width_px: side of the square, odd, in which pixels of two objects make its middle border.
    """
    kernel = np.ones((width_px, width_px), np.uint8)
    present = np.asarray(ids, np.uint16)
    highest = cv2.dilate(present, kernel)
    lowest = cv2.erode(np.where(present > 0, present, 65535).astype(np.uint16), kernel)
    return np.asarray((highest > 0) & (highest != lowest))


def _objects(ids: Ids) -> Iterator[tuple[Bool, Area]]:
    """Yield each object's pixels within its box, which has a margin of one pixel where it can."""
    rows, columns = np.nonzero(ids)
    if not len(rows):
        return
    numbers, inverse = np.unique(ids[rows, columns], return_inverse=True)
    inverse = inverse.ravel()
    low, high = np.full((len(numbers), 2), np.iinfo(np.int64).max), np.zeros((len(numbers), 2), int)
    places = np.stack([rows, columns], axis=1)
    np.minimum.at(low, inverse, places)
    np.maximum.at(high, inverse, places)
    for number, first, last in zip(numbers.tolist(), low, high, strict=True):
        top, left = (max(0, int(value) - 1) for value in first)
        area = slice(top, int(last[0]) + 2), slice(left, int(last[1]) + 2)
        yield np.asarray(ids[area] == number), area
