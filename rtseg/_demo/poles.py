"""Posts and street lamps."""

from __future__ import annotations

import cv2
import numpy as np

from rtseg._demo.canvas import Texture
from rtseg._demo.noise import F32, U8, to_u8

LAMP_M = (3.2, 7.6)
"""Width and height of a street lamp's picture in metres; its post stands in the middle."""

POST_M = 0.26
"""Thickness of a lamp's post."""

_PER_M = 48
METALS = ((128, 130, 128), (84, 92, 80), (56, 58, 58), (165, 168, 168), (70, 84, 60))


def _round_shade(width: int) -> F32:
    """Brightness across a cylinder that is lit from the left."""
    across = (np.arange(width, dtype=np.float32) + 0.5) / width
    return np.asarray(0.55 + 0.65 * np.sin(np.pi * np.clip(across * 0.9 + 0.25, 0, 1)), np.float32)


def post_texture(metal: tuple[int, int, int], banded: bool = False) -> Texture:
    """Return a plain post that fills its picture; `banded` is black and white (zebra crossing)."""
    shade = _round_shade(16)[None, :, None] * np.ones((256, 1, 1), np.float32)
    colour = np.broadcast_to(np.array(metal, np.float32), (256, 1, 3)).copy()
    if banded:
        rows = (np.arange(256) // 32) % 2 == 0
        colour[rows] = (228, 230, 232)
        colour[~rows] = (30, 30, 32)
    picture = np.full((256, 16, 4), 255, np.uint8)
    picture[:, :, :3] = to_u8(colour * shade)
    return Texture(picture)


def lamp_texture(metal: tuple[int, int, int], form: int, lit: bool) -> Texture:
    """Return a street lamp: post, arm to the right, head. `form` 0-2 varies arm and head."""
    width, height = (round(size * _PER_M) for size in LAMP_M)
    picture: U8 = np.zeros((height, width, 4), np.uint8)
    middle, half = width // 2, round(POST_M * _PER_M / 2)
    dark = tuple(value * 0.7 for value in metal)
    top = round(0.35 * _PER_M)
    _arm(picture, form, middle, top, (*dark, 255.0))
    post = picture[top:, middle - half : middle + half]
    post[:, :, :3] = to_u8(_round_shade(2 * half)[None, :, None] * np.array(metal, np.float32))
    post[:, :, 3] = 255
    base = round(1.1 * _PER_M)
    foot = picture[-base:, middle - half - 2 : middle + half + 2]
    foot[:, :, :3] = to_u8(
        _round_shade(2 * half + 4)[None, :, None] * np.array(metal, np.float32) * 0.86
    )
    foot[:, :, 3] = 255
    _head(picture, form, middle, top, metal, lit)
    return Texture(picture)


def _arm(picture: U8, form: int, middle: int, top: int, colour: tuple[float, ...]) -> None:
    reach = round((1.25, 1.1, 0.0)[form] * _PER_M)
    if form == 0:
        cv2.line(picture, (middle, top + 8), (middle + reach, top - 6), colour, 8, cv2.LINE_AA)
    elif form == 1:
        size = (reach, round(0.6 * _PER_M))
        centre = (middle + reach, top + size[1])
        cv2.ellipse(picture, centre, size, 0, 180, 272, colour, 8, cv2.LINE_AA)


def _head(
    picture: U8, form: int, middle: int, top: int, metal: tuple[int, int, int], lit: bool
) -> None:
    glass = (190, 240, 255, 255) if lit else (205, 208, 208, 255)
    body = (*(value * 0.85 for value in metal), 255.0)
    if form == 2:
        cv2.ellipse(picture, (middle, top), (18, 15), 0, 0, 360, glass, -1, cv2.LINE_AA)
        cv2.ellipse(picture, (middle, top - 6), (20, 8), 0, 180, 360, body, -1, cv2.LINE_AA)
        return
    x = middle + round((1.25, 1.1)[form] * _PER_M)
    y = top - 6 if form == 0 else top + 2
    cv2.ellipse(picture, (x, y + 2), (22, 8), 0, 0, 360, glass, -1, cv2.LINE_AA)
    cv2.ellipse(picture, (x, y), (23, 8), 0, 180, 360, body, -1, cv2.LINE_AA)
