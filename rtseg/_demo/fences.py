"""Fences: railings, boards and mesh, in panels whose truth is solid as CamVid's is."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from rtseg._demo.canvas import Texture
from rtseg._demo.items import Brush
from rtseg._demo.light import Gain
from rtseg._demo.noise import F64, U8, fractal_noise, to_u8
from rtseg._demo.truth import FENCE

_PER_M = 40
KINDS = ("railing", "boards", "mesh", "pickets", "guard")


def fence_texture(rng: np.random.Generator, kind: str, length: float, tall: float) -> Texture:
    """Return `length` x `tall` metres of fence. What is between the bars stays half covered, so
    that the panel is one solid thing in the truth and still lets the street shine through."""
    width, height = round(length * _PER_M), round(tall * _PER_M)
    picture: U8 = np.zeros((height, width, 4), np.uint8)
    paint = _PAINTS[int(rng.integers(len(_PAINTS)))]
    if kind == "boards":
        _boards(rng, picture)
    elif kind == "guard":
        _guard(picture)
    else:
        picture[:] = (*(value * 0.5 for value in paint), 132)
        _bars(picture, kind, paint)
    return Texture(picture)


_PAINTS = ((46, 46, 44), (60, 84, 52), (150, 152, 152), (226, 228, 228), (88, 62, 48), (40, 60, 96))


def _boards(rng: np.random.Generator, picture: U8) -> None:
    height, width = picture.shape[:2]
    base = np.array(
        ((70, 104, 142), (90, 120, 150), (58, 78, 98), (110, 126, 134))[int(rng.integers(4))]
    )
    plank = round(0.14 * _PER_M)
    tones = rng.normal(1.0, 0.1, width // plank + 1)[np.arange(width) // plank]
    grain = 1 + 0.1 * fractal_noise(rng, height, width, max(2, width // 6), 2)
    bgr = base * (tones[None, :, None] * grain[:, :, None])
    bgr[:, ::plank] *= 0.45
    picture[:, :, :3] = to_u8(bgr)
    picture[:, :, 3] = 255
    for y in (round(0.15 * height), round(0.8 * height)):
        picture[y : y + 4, :, :3] = (picture[y : y + 4, :, :3] * 0.75).astype(np.uint8)


def _guard(picture: U8) -> None:
    height, width = picture.shape[:2]
    picture[:] = (70, 74, 74, 135)
    y = np.arange(height) / height
    wave = 150 + 60 * np.cos(y * 18)
    rail = (y > 0.12) & (y < 0.72)
    picture[rail, :, :3] = to_u8(wave[rail])[:, None, None]
    picture[rail, :, 3] = 255
    for x in range(0, width, 2 * _PER_M):
        cv2.rectangle(picture, (x, round(0.1 * height)), (x + 5, height), (96, 98, 98, 255), -1)


def _bars(picture: U8, kind: str, paint: tuple[int, int, int]) -> None:
    height, width = picture.shape[:2]
    colour, light = (*paint, 255), (*(min(value * 1.35 + 12, 255) for value in paint), 255)
    step = {"railing": 6, "pickets": 9, "mesh": 5}[kind]
    thick = {"railing": 2, "pickets": 5, "mesh": 1}[kind]
    for x in range(0, width, step):
        cv2.rectangle(picture, (x, 3), (x + thick - 1, height), colour, -1)
        picture[3:, x, :3] = light[:3]
    if kind == "mesh":
        for y in range(2, height, step):
            cv2.line(picture, (0, y), (width, y), colour, 1)
    for y in (0, height - 9) if kind != "pickets" else (round(0.2 * height), round(0.7 * height)):
        cv2.rectangle(picture, (0, y), (width, y + 3), light, -1)
    for x in range(0, width, 2 * _PER_M):
        cv2.rectangle(picture, (x, 0), (x + 4, height), light, -1)


@dataclass(slots=True)
class Fence:
    """One straight panel along or across the street.

    Args:
        order: way that it is sorted by.
        places: near foot, near top, far top, far foot [4, 3].
        texture: the panel.
        gain: its light.
        limit_m: the distance at which it comes into view.
    """

    order: float
    places: F64
    texture: Texture
    gain: Gain
    limit_m: float

    def paint(self, brush: Brush, pixels: F64, depths: F64) -> None:
        """Paint the panel, cut off where it passes the camera."""
        near, far = float(depths[0]), float(depths[3])
        if far < 2.5 or near > self.limit_m:
            return
        length = float(self.places[3, 0] - self.places[0, 0])
        cut = max(0.0, brush.clip_s - float(self.places[0, 0])) / length
        haze = brush.haze((near + far) / 2)
        brush.canvas.quad(
            self.texture,
            pixels[[1, 2, 3, 0]],
            FENCE,
            self.gain,
            haze,
            brush.fade(near, self.limit_m),
            (min(cut, 1.0), 1.0),
        )
