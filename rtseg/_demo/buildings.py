"""Houses along the street: a front, the wall at the near end, and what is on top."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from rtseg._demo.canvas import Haze, Texture
from rtseg._demo.facade import facade_texture, panes_of, window_row
from rtseg._demo.items import DRAW_M, Brush
from rtseg._demo.light import Light, facing
from rtseg._demo.noise import F64, U8, to_u8
from rtseg._demo.truth import BUILDING
from rtseg._demo.walls import PER_M, Style, Walls

_DEPTH_M = 9.0
_RIDGE_M = 2.6

FAR_M = 45.0
"""Farther than this, a row of houses is painted as one strip."""

_PLAIN_M = 95.0
"""Farther than this, only the nearest house of a row has its roof and near end painted."""

_STRIP_PER_M = 10
_CHIMNEY_M = (0.95, 2.0)


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

    def __init__(
        self, rng: np.random.Generator, plot: Plot, style: Style, walls: Walls, light: Light
    ) -> None:
        self.order = plot.end
        self.limit_m = FAR_M + 40.0
        tall = plot.floors * style.floor + 0.6
        length = plot.end - plot.start
        slant = facing(plot.side, plot.heading)
        end = (-float(np.sin(plot.heading)), -float(np.cos(plot.heading)), 0.0)
        panes = panes_of(rng, style)
        front = walls.cut(rng, style, length, tall)
        front = facade_texture(rng, front, style, panes, plot.floors, plot.shop)
        self.front = Texture(front).lit(light.on(slant))
        self.gable = None
        if plot.open_end:
            wall = walls.cut(rng, style, _DEPTH_M, tall + (_RIDGE_M if plot.pitched else 0.0))
            gable = _gable(rng, wall, style, panes, plot)
            self.gable = Texture(gable).lit(light.on(end))
        self.roof = None
        if plot.pitched:
            self.roof = Texture(_tiles(rng, length)).lit(
                light.on((slant[0] * 0.6, slant[1] * 0.6, 0.8))
            )
        self.places = self._corners(plot, tall)
        self.height = tall
        self.chimney: tuple[float, Texture] | None = None
        if plot.pitched and rng.random() < 0.7:
            along = float(rng.uniform(0.12, 0.88))
            stack = Texture(_chimney(rng)).lit(light.upright(0.3))
            self.chimney = (along, stack)
            s = plot.start + along * length
            top = (s, plot.front + plot.side * _DEPTH_M / 2, tall + _RIDGE_M - 0.6)
            self.places = np.concatenate([self.places, [top]])
        self.row_start = plot.start
        self.plot = plot

    @staticmethod
    def _corners(plot: Plot, tall: float) -> F64:
        near, far, front = plot.start, plot.end, plot.front
        back = front + plot.side * _DEPTH_M
        ridge = front + plot.side * _DEPTH_M / 2
        return np.array(
            [
                (near, front, 0.0), (near, front, tall), (far, front, tall), (far, front, 0.0),
                (near, back, 0.0), (near, back, tall),
                (near, ridge, tall + _RIDGE_M), (far, ridge, tall + _RIDGE_M),
                (near, front, tall + _RIDGE_M), (near, back, tall + _RIDGE_M),
            ]
        )  # fmt: skip

    def paint(self, brush: Brush, pixels: F64, depths: F64) -> None:
        """Paint roof, near end and front, in this order."""
        near, far = float(depths[0]), float(depths[3])
        wide = abs(float(pixels[3, 0] - pixels[0, 0]))
        if far < 3.0 or wide < 0.4 or self.row_start - brush.view.pose.s > FAR_M:
            return
        opacity = brush.fade(near, 165.0)
        haze = brush.haze((near + far) / 2)
        cut = max(0.0, brush.clip_s - self.plot.start) / (self.plot.end - self.plot.start)
        left = self.plot.side < 0
        canvas = brush.canvas
        span = (cut, 1.0) if left else (0.0, 1.0 - cut)
        if self.chimney is not None and cut <= self.chimney[0]:
            depth = float(depths[10])
            size = (brush.px(_CHIMNEY_M[0], depth), brush.px(_CHIMNEY_M[1], depth))
            foot = (float(pixels[10, 0]), float(pixels[10, 1]))
            canvas.upright(self.chimney[1], foot, size, BUILDING, None, haze, opacity)
        self.paint_top(brush, pixels, haze, opacity, span)
        if cut <= 0:
            self.paint_gable(brush, pixels, near, opacity)
        corners = pixels[[1, 2, 3, 0]] if left else pixels[[2, 1, 0, 3]]
        canvas.quad(self.front, corners, BUILDING, None, haze, opacity, span)

    def paint_top(
        self,
        brush: Brush,
        pixels: F64,
        haze: Haze,
        opacity: float,
        span: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        """Paint the roof, if it slopes."""
        if self.roof is not None:
            corners = pixels[[6, 7, 2, 1]] if self.plot.side < 0 else pixels[[7, 6, 1, 2]]
            brush.canvas.quad(self.roof, corners, BUILDING, None, haze, opacity, span)

    def paint_gable(self, brush: Brush, pixels: F64, near: float, opacity: float) -> None:
        """Paint the wall at the near end, if it can be seen."""
        if self.gable is None:
            return
        top = (8, 9) if self.plot.pitched else (1, 5)
        if self.plot.side < 0:
            corners = pixels[[top[1], top[0], 0, 4]]
        else:
            corners = pixels[[top[0], top[1], 4, 0]]
        haze = brush.haze(near)
        brush.canvas.quad(self.gable, corners, BUILDING, None, haze, opacity)


class Row:
    """Far houses of one side of a chunk as one strip: their fronts, and their roofs flattened."""

    def __init__(self, houses: list[House]) -> None:
        self.limit_m = DRAW_M + 40.0
        self.order = self._end = max(house.plot.end for house in houses)
        self._start = min(house.plot.start for house in houses)
        self._side = houses[0].plot.side
        self._tall = max(house.height for house in houses)
        width = max(1, round((self._end - self._start) * _STRIP_PER_M))
        picture: U8 = np.zeros((round(self._tall * _STRIP_PER_M), width, 4), np.uint8)
        for house in houses:
            self._add(house, picture)
            house.row_start = self._start
        self._texture = Texture(picture)
        d = houses[0].plot.front
        self.places = np.array(
            [(self._start, d, 0.0), (self._start, d, self._tall),
             (self._end, d, self._tall), (self._end, d, 0.0)]
        )  # fmt: skip
        self._houses = houses
        self._stops = np.cumsum([4] + [len(house.places) for house in houses]).tolist()
        self.places = np.concatenate([self.places, *(house.places for house in houses)])

    def _add(self, house: House, picture: U8) -> None:
        """Paint the front of a house into the picture of the row."""
        rows, columns = picture.shape[:2]
        left = round((house.plot.start - self._start) * _STRIP_PER_M)
        right = min(columns, round((house.plot.end - self._start) * _STRIP_PER_M))
        if self._side > 0:
            left, right = columns - right, columns - left
        tall = min(rows, round(house.height * _STRIP_PER_M))
        size = (max(1, right - left), tall)
        front = cv2.resize(house.front.level(0, 0), size, interpolation=cv2.INTER_AREA)
        picture[rows - tall :, left:right] = front

    def paint(self, brush: Brush, pixels: F64, depths: F64) -> None:
        """Paint the strip, if it is far enough."""
        near = float(depths[0])
        if self._start - brush.view.pose.s <= FAR_M:
            return
        opacity = brush.fade(near, 165.0)
        haze = brush.haze((near + float(depths[3])) / 2)
        plain = self._start - brush.view.pose.s > _PLAIN_M
        for house, start in zip(self._houses[::-1], self._stops[-2::-1], strict=True):
            if plain and house is not self._houses[0]:
                continue
            house.paint_top(brush, pixels[start:], haze, opacity)
            house.paint_gable(brush, pixels[start:], near, opacity)
        corners = pixels[[1, 2, 3, 0]] if self._side < 0 else pixels[[2, 1, 0, 3]]
        brush.canvas.quad(self._texture, corners, BUILDING, None, haze, opacity)


def _gable(rng: np.random.Generator, wall: U8, style: Style, panes: list[U8], plot: Plot) -> U8:
    """The wall at the end of a house, with a triangle on top under a pitched roof."""
    height, width = wall.shape[:2]
    if rng.random() < 0.55:
        for floor in range(1, plot.floors):
            top = height - (floor + 1) * style.floor * PER_M
            window_row(rng, wall, style, panes, 3, top)
    bgra = np.full((height, width, 4), 255, np.uint8)
    bgra[:, :, :3] = wall
    if plot.pitched:
        rows = round(_RIDGE_M * PER_M)
        across = np.abs(np.arange(width) + 0.5 - width / 2) / (width / 2)
        down = (np.arange(rows) + 0.5) / rows
        bgra[:rows, :, 3] = np.where(down[:, None] > across[None], 255, 0)
    return bgra


def _chimney(rng: np.random.Generator) -> U8:
    """A stack of bricks with two or three pots."""
    picture = np.zeros((96, 46, 4), np.uint8)
    brick = np.array((70, 86, 140)) * rng.uniform(0.7, 1.2)
    body = picture[26:, 2:-2]
    body[:, :, :3] = to_u8(brick + rng.normal(0, 9, (*body.shape[:2], 1)))
    body[::6, :, :3] = to_u8(brick * 1.15)
    body[:, -12:, :3] = (body[:, -12:, :3] * 0.7).astype(np.uint8)
    body[:, :, 3] = 255
    picture[22:30, :] = (*(brick * 0.8).astype(int).tolist(), 255)
    for pot in range(int(rng.integers(2, 4))):
        left = 4 + pot * 13
        picture[3:22, left : left + 9] = (66, 104, 176, 255)
        picture[3:22, left + 6 : left + 9] = (44, 74, 130, 255)
    return picture


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
    tone = 8.0 * ((y % 6) < 2) - 10 * (y % 6 == 5) + rng.normal(0, 3, (1, width))
    tone += rng.normal(0, 6, (height // 6 + 1, width // 5 + 1))[y // 6, x // 5]
    bgra = np.full((height, width, 4), 255, np.uint8)
    bgra[:, :, :3] = to_u8(base + tone[:, :, None])
    bgra[:4, :, :3] = to_u8(base * 0.7)
    return bgra
