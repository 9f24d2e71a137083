"""Walls of brick, plaster or panels, and the style that a house is built in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtseg._demo.noise import F32, U8, fractal_noise, generator, to_u8

PER_M = 30
"""Texture pixels per metre."""

Bgr = tuple[float, float, float]

_WALLS: tuple[Bgr, ...] = (
    (72, 88, 148), (84, 104, 164), (62, 74, 118), (118, 152, 186), (148, 186, 210),
    (196, 214, 222), (214, 220, 224), (168, 186, 176), (176, 176, 186), (186, 168, 150),
    (150, 196, 226), (160, 170, 210), (140, 160, 170), (112, 124, 136), (205, 200, 190),
    (98, 140, 190), (132, 140, 120),
)  # fmt: skip
_FRAMES: tuple[Bgr, ...] = ((235, 236, 238), (60, 58, 56), (120, 140, 150), (70, 96, 130))


@dataclass(frozen=True)
class Style:
    """How the houses of one plot look; lengths in metres.

    Args:
        wall: "brick", "plaster" or "panels".
        colour: of the wall, BGR.
        frame: of the windows, BGR.
        bay: width of one window axis.
        floor: height of one floor.
        window: width and height of a window.
        panes: how many panes across and down.
        sill: whether windows have a sill and lintel of stone.
        lit: share of windows with a lamp on.
    """

    wall: str
    colour: Bgr
    frame: Bgr
    bay: float
    floor: float
    window: tuple[float, float]
    panes: tuple[int, int]
    sill: bool
    lit: float


def style_of(rng: np.random.Generator, modern: bool, lit: float) -> Style:
    """Draw a style; modern ones have wide windows and plain walls."""
    wall = "panels" if modern else ("brick", "plaster", "plaster")[int(rng.integers(3))]
    colour = np.array(_WALLS[int(rng.integers(len(_WALLS)))]) * rng.uniform(0.85, 1.1)
    colour = np.minimum(colour + rng.uniform(-10, 10, 3), 240)
    bay = float(rng.uniform(2.6, 4.2) if modern else rng.uniform(1.9, 2.9))
    floor = float(rng.uniform(2.9, 3.5))
    wide = bay * float(rng.uniform(0.7, 0.92) if modern else rng.uniform(0.4, 0.58))
    tall = floor * float(rng.uniform(0.52, 0.72) if modern else rng.uniform(0.48, 0.62))
    return Style(
        wall=wall,
        colour=(float(colour[0]), float(colour[1]), float(colour[2])),
        frame=_FRAMES[int(rng.integers(len(_FRAMES)))],
        bay=bay,
        floor=floor,
        window=(wide, tall),
        panes=((3, 1), (2, 1))[int(rng.integers(2))] if modern else _PANES[int(rng.integers(4))],
        sill=not modern and bool(rng.random() < 0.75),
        lit=lit,
    )


_PANES = ((2, 2), (1, 2), (2, 3), (2, 1))


_TILE = 1024


class Walls:
    """Stains and bricks of a drive, in tiles that every wall is cut from."""

    def __init__(self, seed: int) -> None:
        rng = generator(seed, 15)
        stains = 7 * fractal_noise(rng, _TILE, _TILE, 12, 5)
        stains += 2.5 * rng.standard_normal((_TILE, _TILE), dtype=np.float32)
        self._plaster = stains
        self._bricks = stains + _bricks(rng)

    def cut(self, rng: np.random.Generator, style: Style, width_m: float, height_m: float) -> U8:
        """Return a bare wall uint8 [h, w, 3], darker towards the ground."""
        width, height = max(8, round(width_m * PER_M)), max(8, round(height_m * PER_M))
        tile = self._bricks if style.wall == "brick" else self._plaster
        grey = _part(rng, tile, height, width)
        if style.wall == "panels":
            grey[:, :: round(style.bay * PER_M)] -= 26
            grey[:: round(style.floor * PER_M)] -= 30
        rise = np.linspace(1, 0, height, dtype=np.float32)[:, None]
        fall = 0.86 + 0.16 * np.sqrt(rise)
        wall = np.empty((height, width, 3), np.float32)
        for channel, value in enumerate(style.colour):
            wall[:, :, channel] = (grey + np.float32(value)) * fall
        return to_u8(wall)


def _part(rng: np.random.Generator, tile: F32, height: int, width: int) -> F32:
    top, left = int(rng.integers(_TILE)), int(rng.integers(_TILE))
    rows = np.arange(top, top + height) % _TILE
    columns = np.arange(left, left + width) % _TILE
    return np.asarray(tile[rows][:, columns])


def _bricks(rng: np.random.Generator) -> F32:
    tones = 9 * rng.standard_normal((_TILE // 4, _TILE // 8), dtype=np.float32)
    y, x = np.mgrid[0:_TILE, 0:_TILE]
    row = y // 4
    shifted = (x + (row % 2) * 4) % _TILE
    joints = (y % 4 == 0) | (shifted % 8 == 0)
    return np.asarray(np.where(joints, np.float32(12), tones[row, shifted // 8]), np.float32)
