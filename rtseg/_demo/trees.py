"""Trees: a trunk, forking branches, and leaves laid from the dark inside to the lit outside."""

from __future__ import annotations

import cv2
import numpy as np

from rtseg._demo.canvas import Texture
from rtseg._demo.noise import F32, F64, U8, fractal_noise, generator, to_u8

TALL_PX, WIDE_PX = 448, 360
KINDS = 7

_LEAVES = (
    (44, 92, 66), (38, 104, 84), (52, 120, 104), (40, 76, 58), (60, 110, 70), (36, 118, 122),
    (40, 110, 168), (46, 84, 44), (70, 130, 120),
)  # fmt: skip


def tree_texture(seed: int, kind: int) -> Texture:
    """Return one of the drive's trees as a texture whose bottom middle is the foot."""
    rng = generator(seed, 20, kind)
    picture = np.zeros((TALL_PX, WIDE_PX, 4), np.uint8)
    form = ("round", "round", "tall", "cone", "round", "wide", "tall")[kind % KINDS]
    bark = np.array((58, 72, 88)) * rng.uniform(0.7, 1.2)
    top = {"round": 0.42, "wide": 0.5, "tall": 0.5, "cone": 0.25}[form]
    _branches(rng, picture, bark, top, form)
    centres, radii = _clumps(rng, form)
    _leaves(rng, picture, centres, radii)
    return Texture(picture)


def _branches(rng: np.random.Generator, picture: U8, bark: F64, top: float, form: str) -> None:
    foot = np.array([WIDE_PX / 2, TALL_PX + 2.0])
    crotch = np.array([WIDE_PX / 2 + rng.uniform(-10, 10), TALL_PX * (1 - top)])
    _limb(picture, foot, crotch, 19, 12, bark)
    spread = {"round": 1.1, "wide": 1.2, "tall": 0.3, "cone": 0.4}[form]
    for _ in range(9):
        angle = rng.uniform(-spread, spread)
        reach = rng.uniform(50, 120)
        start = foot + (crotch - foot) * rng.uniform(0.7, 1.0)
        end = start + reach * np.array([np.sin(angle), -np.cos(angle)])
        _limb(picture, start, end, 8, 2, bark * 0.9)


def _limb(picture: U8, start: F64, end: F64, thick: float, thin: float, bark: F64) -> None:
    along = end - start
    across = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1.0)
    for part, tone in ((1.0, 0.8), (0.55, 1.1)):
        outline = np.array(
            [
                start + across * thick / 2, end + across * thin / 2,
                end + across * thin * (0.5 - part), start + across * thick * (0.5 - part),
            ]
        )  # fmt: skip
        colour = (*(float(value) for value in np.minimum(bark * tone, 255)), 255.0)
        cv2.fillPoly(picture, [np.rint(outline * 16).astype(np.int32)], colour, cv2.LINE_AA, 4)


def _clumps(rng: np.random.Generator, form: str) -> tuple[F64, F64]:
    """Centres [n, 2] and radii [n] of balls of leaves, in pixels."""
    count = {"round": 34, "wide": 38, "tall": 36, "cone": 46}[form]
    turn = rng.uniform(0, 2 * np.pi, count)
    out = np.sqrt(rng.uniform(0, 1, count))
    middle = {"round": 0.36, "wide": 0.33, "tall": 0.45, "cone": 0.43}[form] * TALL_PX
    reach_y = {"round": 0.25, "wide": 0.2, "tall": 0.38, "cone": 0.38}[form] * TALL_PX
    reach_x = {"round": 0.34, "wide": 0.38, "tall": 0.17, "cone": 0.32}[form] * WIDE_PX
    y = np.sin(turn) * out
    narrow = (y + 1.08) / 2.1 if form == "cone" else np.ones(count)
    x = np.cos(turn) * out * narrow
    centres = np.stack([WIDE_PX / 2 + x * reach_x, middle + y * reach_y], 1)
    size = rng.uniform(30, 56, count) * (0.74 if form in {"tall", "cone"} else 1.0)
    return centres, size


def _leaves(rng: np.random.Generator, picture: U8, centres: F64, radii: F64) -> None:
    """Lay the balls of leaves from back to front, ragged at the rim, lit from the upper left."""
    ragged = fractal_noise(rng, TALL_PX, WIDE_PX, 26, 4)
    fine = cv2.GaussianBlur(rng.standard_normal((TALL_PX, WIDE_PX), dtype=np.float32), (0, 0), 1.1)
    light = np.zeros((TALL_PX, WIDE_PX), np.float32)
    cover = np.zeros((TALL_PX, WIDE_PX), np.float32)
    order = np.argsort(rng.uniform(0, 1, len(radii)) - 0.5 * radii / radii.max())
    for x, y, radius in np.column_stack([centres, radii])[order].tolist():
        _ball(light, cover, ragged, x, y, radius)
    lit = light * (1 + 0.5 * fine + 0.12 * ragged) * rng.uniform(0.9, 1.1)
    leaf = np.array(_LEAVES[int(rng.integers(len(_LEAVES)))]) * rng.uniform(0.85, 1.15)
    sun = np.clip(lit - 0.9, 0, 1)[:, :, None] * np.array((-8, 30, 42))
    bgr = leaf * lit[:, :, None] + sun
    inside = cover[:, :, None]
    under = picture[:, :, 3:].astype(np.float32) / 255
    picture[:, :, :3] = to_u8(bgr * inside + picture[:, :, :3] * (1 - inside))
    picture[:, :, 3:] = to_u8(255 * np.maximum(inside, under))


def _ball(light: F32, cover: F32, ragged: F32, x: float, y: float, radius: float) -> None:
    reach = radius * 1.4
    x0, x1 = max(int(x - reach), 0), min(int(x + reach) + 1, WIDE_PX)
    y0, y1 = max(int(y - reach), 0), min(int(y + reach) + 1, TALL_PX)
    if x1 <= x0 or y1 <= y0:
        return
    box = np.s_[y0:y1, x0:x1]
    dy, dx = np.mgrid[y0:y1, x0:x1].astype(np.float32)
    dx, dy = (dx - x) / radius, (dy - y) / radius
    out = np.sqrt(dx * dx + dy * dy) + 0.3 * ragged[box]
    amount = np.clip((1 - out) * radius / 1.6, 0, 1)
    shade = 0.56 - 0.2 * dx - 0.36 * dy + 0.3 * np.sqrt(np.clip(1 - out * out, 0, 1))
    light[box] = light[box] * (1 - amount) + np.clip(shade, 0.25, 1.35) * amount
    cover[box] = np.maximum(cover[box], amount)
