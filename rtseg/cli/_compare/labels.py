"""Where the names of a chart's bubbles go, so that they hide neither bubbles nor each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

GAP_PX = 3.0
ANGLES = (0, 180, 45, 135, -45, -135, 90, -90, 22, -22, 158, -158, 67, -67, 113, -113)
"""Degrees at which a name is tried, the most usual places first."""
DISTANCES_PX = (0, 6, 14, 24, 36, 50, 66, 84, 104, 128, 156, 190)


class Box(NamedTuple):
    """A rectangle in pixels; y points up."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def width(self) -> float:
        """Its width."""
        return self.right - self.left

    @property
    def centre(self) -> tuple[float, float]:
        """Its middle."""
        return (self.left + self.right) / 2, (self.bottom + self.top) / 2

    def overlap(self, other: Box) -> float:
        """Return the area that both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(width, 0.0) * max(height, 0.0)

    def holds(self, other: Box) -> bool:
        """Return whether `other` lies inside."""
        return (
            self.left <= other.left
            and self.bottom <= other.bottom
            and other.right <= self.right
            and other.top <= self.top
        )

    def nearest(self, x: float, y: float) -> tuple[float, float]:
        """Return the point of the rectangle that is nearest to a point."""
        return min(max(x, self.left), self.right), min(max(y, self.bottom), self.top)


def place(discs: Sequence[Box], sizes: Sequence[tuple[float, float]], frame: Box) -> list[Box]:
    """Return a box for each name, as near to its disc as there is room.

    Names whose discs are the most crowded choose first. Where there is no room at all, the place
    with the least overlap is taken.

    Args:
        discs: the squares around the bubbles.
        sizes: width and height of each bubble's name.
        frame: the boxes lie inside.
    """
    chosen: dict[int, Box] = {}
    for index in sorted(range(len(discs)), key=lambda index: -_crowd(index, discs)):
        taken = [*discs, *chosen.values()]
        best, least = None, math.inf
        for box in _candidates(discs[index], sizes[index]):
            hidden = sum(box.overlap(other) for other in taken)
            if frame.holds(box) and hidden < least:
                best, least = box, hidden
            if least == 0:
                break
        chosen[index] = best or next(iter(_candidates(discs[index], sizes[index])))
    return [chosen[index] for index in range(len(discs))]


def _crowd(index: int, discs: Sequence[Box]) -> float:
    """Return how near the others are to a disc; large is crowded."""
    x, y = discs[index].centre
    distances = (math.dist((x, y), other.centre) for other in discs)
    return sum(1 / (20 + distance) for distance in distances)


def _candidates(disc: Box, size: tuple[float, float]) -> list[Box]:
    """Return the places for a name around its disc, the best ones first."""
    width, height = size
    found = []
    for distance in DISTANCES_PX:
        radius = disc.width / 2 + GAP_PX + distance
        for angle in ANGLES:
            cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            x = disc.centre[0] + cos * radius + (cos - 1) / 2 * width
            y = disc.centre[1] + sin * radius + (sin - 1) / 2 * height
            found.append(Box(x, y, x + width, y + height))
    return found
