"""Class borders at the frame's resolution instead of the engine grid's stairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from rtseg.classes import VOID
from rtseg.errors import DataError
from rtseg.fit import Fit, nearest_indices
from rtseg.frames import Labels

COARSEST_CELL_PX = 3.0
"""Where a cell of the grid is larger than this in the frame, the grid is refined first."""

Indices = npt.NDArray[np.intp]


def smooth_labels_to_frame(fit: Fit, labels: Labels) -> Labels:
    """Return the frame's labels of the engine's, with smooth borders that lie where they did.

    Each class spreads linearly between the grid's centres, and a pixel takes the class that holds
    more than half: every class's map interpolated, decided by majority. That differs from the
    nearest neighbour only where the three other cells around a pixel agree on another class, so a
    few comparisons on the grid do it, whatever the number of classes. Corners lose less than half
    a cell, lines of one cell's width stay whole, no pixel gets a class that none of its four cells
    has, and at the engine's own size nothing changes.

    Args:
        fit: how the frame was brought to the engine's input.
        labels: uint8 [*fit.engine_hw].

    Returns:
        uint8 [*fit.frame_hw]; void outside a crop.

    Raises:
        DataError: the labels have another size.
    """
    if labels.shape != fit.engine_hw:
        raise DataError(f"the class map is {list(labels.shape)}; {fit} needs {list(fit.engine_hw)}")
    (height, width), (seen_h, seen_w) = fit.content_hw, fit.seen_hw
    grid = labels[:height, :width]
    for _ in range(refinements(grid.shape, (seen_h, seen_w))):
        grid = _quadrants(grid)
    cells, quarters, towards_corner = sampling(grid.shape, fit.seen_hw)
    shown = _sample(grid, cells)
    cv2.copyTo(_sample(_quadrants(grid), quarters), towards_corner, shown)
    return fit.fill(shown, VOID)


def refinements(grid_hw: Sequence[int], target_hw: Sequence[int]) -> int:
    """Return how often a grid is doubled before it is sampled, so that its cells are small."""
    ratio = max(target / grid for target, grid in zip(target_hw, grid_hw, strict=True))
    return max(0, math.ceil(math.log2(ratio / COARSEST_CELL_PX)))


class Sampling(NamedTuple):
    """What each pixel of a target looks at in a grid; see `sampling`."""

    cells: tuple[Indices, Indices]
    quarters: tuple[Indices, Indices]
    towards_corner: npt.NDArray[np.uint8]


@lru_cache(maxsize=8)
def sampling(grid_hw: tuple[int, int], target_hw: tuple[int, int]) -> Sampling:
    """Return what each target pixel looks at, which depends on the sizes alone.

    Returns:
        Row and column of the cell it lies in; of the quadrant of that cell; and 255 where so close
        to the cell's corner that the three other cells there weigh more than the cell, uint8
        [*target_hw].
    """
    far = [_off_centre(*sizes) for sizes in zip(grid_hw, target_hw, strict=True)]
    own_weight = np.multiply.outer(1 - far[0], 1 - far[1])
    towards_corner = np.where(own_weight < 0.5, 255, 0).astype(np.uint8)
    towards_corner.flags.writeable = False
    return Sampling(
        (nearest_indices(grid_hw[0], target_hw[0]), nearest_indices(grid_hw[1], target_hw[1])),
        (
            nearest_indices(2 * grid_hw[0], target_hw[0]),
            nearest_indices(2 * grid_hw[1], target_hw[1]),
        ),
        towards_corner,
    )


def _off_centre(source: int, target: int) -> npt.NDArray[np.float64]:
    """Return how far each target pixel's centre is from that of its cell, in cells: 0 to 0.5."""
    places = (np.arange(target) + 0.5) * source / target
    return np.abs(places - np.floor(places) - 0.5)


def _sample(grid: Labels, indices: tuple[Indices, Indices]) -> Labels:
    rows, columns = indices
    return grid.take(columns, axis=1).take(rows, axis=0)


def _quadrants(grid: Labels) -> Labels:
    """Return the grid at twice its size: each cell's quarters, as they look towards the corner.

    A quarter takes the class of the three other cells around its corner where these agree, else
    its own cell's.
    """
    height, width = grid.shape
    padded = np.asarray(cv2.copyMakeBorder(grid, 1, 1, 1, 1, cv2.BORDER_REPLICATE), np.uint8)
    rows = []
    for top in (0, 2):
        pair = []
        for left in (0, 2):
            beside = padded[1:-1, left : left + width]
            above = padded[top : top + height, 1:-1]
            across = padded[top : top + height, left : left + width]
            agree = cv2.bitwise_and(
                cv2.compare(beside, above, cv2.CMP_EQ), cv2.compare(beside, across, cv2.CMP_EQ)
            )
            pair.append(cv2.copyTo(across, agree, grid.copy()))
        merged = np.asarray(cv2.merge(pair), np.uint8)
        rows.append(merged.reshape(height, 2 * width))
    return np.stack(rows, axis=1).reshape(2 * height, 2 * width)
