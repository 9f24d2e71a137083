"""Houses along the street: a front, the wall at the near end, and what is on top."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtseg._demo.canvas import Texture
from rtseg._demo.facade import PER_M, Style, facade_texture, wall_texture
from rtseg._demo.items import Brush
from rtseg._demo.light import Light, facing
from rtseg._demo.noise import F64, U8, fractal_noise, to_u8
from rtseg._demo.truth import BUILDING

_DEPTH_M = 9.0
_GABLE_M = 110.0


@dataclass(frozen=True)
class Plot:
    """Where a house stands.

    Args:
        start: way at its near end.
        end: way at its far end.
        front: signed lateral place of its front.
        heading: the street's heading there.
        floors: number of floors.
        pitched: a tiled roof, else a flat one.
        shop: a shop on the ground floor.
        open_end: whether the wall at the near end can be seen.
    """

    start: float
    end: float
    front: float
    heading: float
    floors: int
    pitched: bool
    shop: bool
    open_end: bool = True

    @property
    def side(self) -> int:
        """-1 left, +1 right."""
        return 1 if self.front > 0 else -1


class House:
    """A house: eight corners, three textures."""

    def __init__(self, rng: np.random.Generator, plot: Plot, style: Style, light: Light) -> None:
        self.order = plot.end
        self._plot = plot
        tall = plot.floors * style.floor + 0.6
        length = plot.end - plot.start
        slant = facing(plot.side, plot.heading)
        end = (-float(np.sin(plot.heading)), -float(np.cos(plot.heading)), 0.0)
        front = facade_texture(rng, style, length, plot.floors, plot.shop)
        self._front = Texture(front, light.on(slant))
        self._gable = None
        if plot.open_end:
            self._gable = Texture(_gable(rng, style, tall, plot.pitched), light.on(end))
        self._roof = None
        if plot.pitched:
            self._roof = Texture(_tiles(rng, length), light.on((slant[0] * 0.6, slant[1] * 0.6, 0.8)))
        self.places = self._corners(plot, tall)
        self.height = tall

    @staticmethod
    def _corners(plot: Plot, tall: float) -> F64:
        near, far, front = plot.start, plot.end, plot.front
        back = front + plot.side * _DEPTH_M
        ridge = front + plot.side * _DEPTH_M / 2
        return np.array(
            [
                (near, front, 0.0), (near, front, tall), (far, front, tall), (far, front, 0.0),
                (near, back, 0.0), (near, back, tall),
                (near, ridge, tall + 2.6), (far, ridge, tall + 2.6),
                (near, front, tall + 2.6), (near, back, tall + 2.6),
            ]
        )  # fmt: skip

    def paint(self, brush: Brush, pixels: F64, depths: F64) -> None:
        """Paint roof, near end and front, in this order."""
        near, far = float(depths[0]), float(depths[3])
        wide = abs(float(pixels[3, 0] - pixels[0, 0]))
        if far < 3.0 or wide < 0.4:
            return
        opacity = brush.fade(near, 165.0)
        haze = brush.haze((near + far) / 2)
        cut = max(0.0, brush.clip_s - self._plot.start) / (self._plot.end - self._plot.start)
        left = self._plot.side < 0
        canvas = brush.canvas
        span = (cut, 1.0) if left else (0.0, 1.0 - cut)
        if self._roof is not None:
            corners = pixels[[6, 7, 2, 1]] if left else pixels[[7, 6, 1, 2]]
            canvas.quad(self._roof, corners, BUILDING, None, haze, opacity, span)
        if cut <= 0 and self._gable is not None and near < _GABLE_M:
            self._paint_gable(self._gable, brush, pixels, near, opacity)
        corners = pixels[[1, 2, 3, 0]] if left else pixels[[2, 1, 0, 3]]
        canvas.quad(self._front, corners, BUILDING, None, haze, opacity, span)

    def _paint_gable(
        self, texture: Texture, brush: Brush, pixels: F64, near: float, opacity: float
    ) -> None:
        top = (8, 9) if self._plot.pitched else (1, 5)
        if self._plot.side < 0:
            corners = pixels[[top[1], top[0], 0, 4]]
        else:
            corners = pixels[[top[0], top[1], 4, 0]]
        haze = brush.haze(near)
        brush.canvas.quad(texture, corners, BUILDING, None, haze, opacity)


def _gable(rng: np.random.Generator, style: Style, tall: float, pitched: bool) -> U8:
    """The wall at the end of a house, with a triangle on top under a pitched roof."""
    total = tall + (2.6 if pitched else 0.0)
    wall = to_u8(wall_texture(rng, style, _DEPTH_M, total))
    bgra = np.full((*wall.shape[:2], 4), 255, np.uint8)
    bgra[:, :, :3] = wall
    if pitched:
        height, width = wall.shape[:2]
        rows = round(2.6 * PER_M)
        across = np.abs(np.arange(width) + 0.5 - width / 2) / (width / 2)
        down = (np.arange(rows) + 0.5) / rows
        bgra[:rows, :, 3] = np.where(down[:, None] > across[None], 255, 0)
    return bgra


def _tiles(rng: np.random.Generator, length: float) -> U8:
    """A tiled roof in rows."""
    height, width = 96, max(16, round(length * 20))
    base = np.array(
        ((60, 72, 128), (74, 70, 72), (52, 62, 96), (92, 88, 88), (70, 92, 150))[
            int(rng.integers(5))
        ],
        np.float32,
    )
    y, x = np.mgrid[0:height, 0:width]
    tone = 10 * fractal_noise(rng, height, width, 8, 4) + 8 * ((y % 6) < 2) - 10 * (y % 6 == 5)
    tone += rng.normal(0, 6, (height // 6 + 1, width // 5 + 1))[y // 6, x // 5]
    bgra = np.full((height, width, 4), 255, np.uint8)
    bgra[:, :, :3] = to_u8(base + tone[:, :, None])
    bgra[:4, :, :3] = to_u8(base * 0.7)
    return bgra
