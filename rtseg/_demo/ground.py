"""The ground as the camera sees it: every pixel below the horizon is looked up on the street."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from rtseg._demo.camera import View
from rtseg._demo.canvas import Canvas
from rtseg._demo.light import CLEAR_M, Light
from rtseg._demo.noise import F32, F64, U8
from rtseg._demo.paving import (
    ACROSS,
    ALONG,
    COLUMNS,
    HALF_M,
    PERIOD_M,
    ROWS,
    grain_tile,
    street_tile,
)
from rtseg._demo.route import Profile
from rtseg._demo.truth import PAVEMENT, ROAD

_ROAD_OR_PAVEMENT = np.where(np.arange(256) > 127, ROAD, PAVEMENT).astype(np.uint8)
_GRAIN_M = 2.0
_GRAIN_TO_M, _GRAIN_FULL_M = 8.0, 5.5


@dataclass(frozen=True)
class Decal:
    """A flat shape on the ground and how strongly it covers, 0-255.

    The outline int32 [n, 2] counts sixteenths of a pixel from the picture's top left corner.
    """

    outline: npt.NDArray[np.int32]
    strength: int


class Ground:
    """Asphalt, kerbs and pavements with markings painted on and shadows cast across."""

    def __init__(self, seed: int, profile: Profile, light: Light) -> None:
        self._profile, self._light = profile, light
        self._levels = _ripmap(street_tile(seed, profile))
        self._grain = grain_tile(seed)
        lit, dark = light.on((0, 0, 1)), light.on((0, 0, 1), light.shadow)
        steps = np.linspace(0, 1, 256)
        gains = [(1 - steps) * a + steps * b * 0.96 for a, b in zip(lit, dark, strict=True)]
        table = np.stack([np.clip(gain * 128, 0, 255) for gain in gains] + [np.full(256, 128.0)], 1)
        self._shade = np.rint(table).astype(np.uint8)[:, None]

    def paint(
        self,
        canvas: Canvas,
        view: View,
        marks: Sequence[Decal],
        shadows: Sequence[Decal],
        side_roads: Sequence[tuple[float, float, int]],
    ) -> None:
        """Paint everything below the horizon.

        Args:
            canvas: painted from the first row that shows ground down to the bottom.
            view: the camera.
            marks: white markings.
            shadows: cast shadows, the stronger ones last; they darken whatever lies there.
            side_roads: (from s, to s, side) where the road leaves the street.
        """
        first, depth, along, street_x, angle = view.ground_rows
        if first >= canvas.height:
            return
        d, s, base = _street_places(view, depth, along, street_x, angle)
        road = cv2.inRange(d, -self._profile.half_road[0], self._profile.half_road[1])
        for start, end, side in side_roads:
            road = cv2.bitwise_or(road, _side_road(d, s, start - base, end - base, side))
        cv2.LUT(np.asarray(road), _ROAD_OR_PAVEMENT, canvas.labels[first:])
        if side_roads:
            d = _folded(d, np.asarray(road), self._profile)
        self._surface(canvas, d, s, depth)
        _paint_marks(canvas, marks, first)
        self._roughen(canvas, d, s, depth)
        self._shine(canvas, shadows, first, depth)

    def _surface(self, canvas: Canvas, d: F32, s: F32, depth: F64) -> None:
        """Paint the texture in bands of rows, each from a copy as coarse as its distance."""
        rows, columns = d.shape
        out = canvas.image[canvas.height - rows :]
        step_m = np.abs(np.gradient(depth)) if rows > 1 else np.ones(1)
        down = np.clip(np.log2(np.maximum(step_m * ALONG, 1e-3)) + 0.3, 0, 8).astype(int)
        edges = np.flatnonzero(np.diff(down)) + 1
        for low, high in zip([0, *edges], [*edges, rows], strict=True):
            middle = (low + high) // 2
            per_px = float(abs(d[middle, -1] - d[middle, 0])) / columns * ACROSS
            across = int(np.clip(np.log2(max(per_px, 1e-3)) + 0.3, 0, 4))
            level = self._levels[across][int(down[low])]
            x = d[low:high] * (level.shape[1] / (2 * HALF_M)) + (level.shape[1] / 2 - 0.5)
            y = s[low:high] * (level.shape[0] / PERIOD_M) - 0.5
            np.clip(x, 0, level.shape[1] - 1.001, out=x)
            cv2.remap(level, x, y, cv2.INTER_LINEAR, out[low:high], cv2.BORDER_WRAP)

    def _roughen(self, canvas: Canvas, d: F32, s: F32, depth: F64) -> None:
        """Multiply fine grain onto the nearest rows, where the street's tile is too coarse."""
        low = int(np.searchsorted(-depth, -_GRAIN_TO_M))
        if low >= len(depth):
            return
        scale = self._grain.shape[0] / _GRAIN_M
        x, y = d[low:] * np.float32(scale), s[low:] * np.float32(scale)
        warped = cv2.remap(self._grain, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        grain = np.asarray(warped, np.uint8)
        part = int(np.searchsorted(-depth[low:], -_GRAIN_FULL_M))
        span = _GRAIN_TO_M - _GRAIN_FULL_M
        fade = (_GRAIN_TO_M - depth[low : low + part]) / span * 256
        rough = (grain[:part].astype(np.int16) - 128) * fade.astype(np.int16)[:, None]
        grain[:part] = (rough >> 8) + 128
        near = canvas.image[canvas.height - len(grain) :]
        grains = canvas.buffer(0, len(grain))
        cv2.cvtColor(grain, cv2.COLOR_GRAY2BGRA, grains)
        cv2.multiply(near, grains, near, 1 / 128)

    def _shine(self, canvas: Canvas, shadows: Sequence[Decal], first: int, depth: F64) -> None:
        """Light the surface: sun and sky, cast shadows (at half the resolution), haze by row."""
        surface = canvas.image[first:]
        rows, columns = surface.shape[:2]
        half = ((columns + 1) // 2, (rows + 1) // 2)
        mask = np.zeros(half[::-1], np.uint8)
        offset = (-16, -16 * first - 16)
        for shadow in shadows:
            cv2.fillPoly(mask, [shadow.outline], shadow.strength, cv2.LINE_8, 5, offset)
        size = max(3, columns // 320 | 1)
        mask = np.asarray(cv2.blur(mask, (size, max(3, size // 2 | 1))), np.uint8)
        shade = cv2.LUT(cv2.cvtColor(mask, cv2.COLOR_GRAY2BGRA), self._shade)
        full = canvas.buffer(0, rows)
        cv2.resize(shade, (columns, rows), full, interpolation=cv2.INTER_LINEAR)
        cv2.multiply(surface, full, surface, 1 / 128)
        share = 1.0 - np.exp(-np.maximum(depth - CLEAR_M, 0.0) / self._light.haze_m)
        far = int(np.searchsorted(-share, -2e-3))
        keep = np.rint((1 - share[:far]) * 255).astype(np.uint8)
        veil = np.rint(share[:far, None] * (*self._light.haze_bgr, 0)).astype(np.uint8)
        haze = canvas.buffer(1, far)
        haze[:] = keep[:, None, None]
        cv2.multiply(surface[:far], haze, surface[:far], 1 / 255)
        haze[:] = veil[:, None]
        cv2.add(surface[:far], haze, surface[:far])


def _ripmap(tile: U8) -> list[list[U8]]:
    """Copies [across][down], each halved across and along the street on its own."""
    levels = []
    for across in range(5):
        row = []
        for down in range(9):
            size = (COLUMNS >> across, max(2, ROWS >> down))
            row.append(np.asarray(cv2.resize(tile, size, interpolation=cv2.INTER_AREA), np.uint8))
        levels.append(row)
    return levels


def _street_places(
    view: View, depth: F64, along: F64, street_x: F64, angle: F64
) -> tuple[F32, F32, float]:
    """Lateral place and way of every ground pixel, float32 [rows, W]; the way counts from `base`
    (a whole number of tiles), so that float32 stays exact however long the drive."""
    base = float(np.floor(view.pose.s / PERIOD_M) * PERIOD_M)
    per_px = depth / view.focal
    start = (0.5 - view.width / 2) * per_px - street_x
    cos, sin = np.cos(angle), np.sin(angle)
    columns = np.arange(view.width, dtype=np.float32)[None]
    d = columns * (per_px * cos).astype(np.float32)[:, None]
    d += (start * cos).astype(np.float32)[:, None]
    s = columns * (per_px * sin).astype(np.float32)[:, None]
    s += (along - base + start * sin).astype(np.float32)[:, None]
    return d, s, base


def _side_road(d: F32, s: F32, start: float, end: float, side: int) -> cv2.typing.MatLike:
    beyond = cv2.inRange(d, 0.0, 1e9) if side > 0 else cv2.inRange(d, -1e9, 0.0)
    return cv2.bitwise_and(cv2.inRange(s, start, end), beyond)


def _folded(d: F32, road: U8, profile: Profile) -> F32:
    """Give side roads the asphalt of the street: fold their places back between the kerbs."""
    inside = cv2.inRange(d, -profile.half_road[0], profile.half_road[1])
    outside = cv2.bitwise_and(road, cv2.bitwise_not(inside))
    x, y, wide, tall = cv2.boundingRect(outside)
    box = np.s_[y : y + tall, x : x + wide]
    where = outside[box] > 0
    d[box][where] = np.mod(d[box][where], np.float32(profile.lane * 0.8))
    return d


def _paint_marks(canvas: Canvas, marks: Sequence[Decal], first: int) -> None:
    """Blend white paint in, worn as the street's tile says (its alpha)."""
    if not marks:
        return
    surface = canvas.image[first:]
    mask = np.zeros(surface.shape[:2], np.uint8)
    offset = (-8, -16 * first - 8)
    for mark in marks:
        cv2.fillPoly(mask, [mark.outline], mark.strength, cv2.LINE_AA, 4, offset)
    covers, paint = canvas.buffer(0, len(surface)), canvas.buffer(1, len(surface))
    cv2.multiply(mask, cv2.extractChannel(surface, 3), mask, 1 / 255)
    cv2.cvtColor(mask, cv2.COLOR_GRAY2BGRA, covers)
    cv2.convertScaleAbs(covers, paint, 222 / 255)
    cv2.bitwise_not(covers, covers)
    cv2.multiply(surface, covers, surface, 1 / 255)
    cv2.add(surface, paint, surface)
