"""Trees: a trunk, forking branches, and leaves laid from the dark inside to the lit outside."""

from __future__ import annotations

import cv2
import numpy as np

from rtseg._demo.canvas import Texture
from rtseg._demo.noise import U8, F64, generator, to_u8

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
    _branches(rng, picture, bark, top)
    centres, radii = _clumps(rng, form)
    _leaves(rng, picture, centres, radii)
    return Texture(picture)


def _branches(rng: np.random.Generator, picture: U8, bark: F64, top: float) -> None:
    foot = np.array([WIDE_PX / 2, TALL_PX + 2.0])
    crotch = np.array([WIDE_PX / 2 + rng.uniform(-10, 10), TALL_PX * (1 - top)])
    _limb(picture, foot, crotch, 19, 12, bark)
    for _ in range(9):
        angle = rng.uniform(-1.1, 1.1)
        reach = rng.uniform(60, 150)
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
    count = {"round": 26, "wide": 30, "tall": 24, "cone": 34}[form]
    turn = rng.uniform(0, 2 * np.pi, count)
    out = np.sqrt(rng.uniform(0, 1, count))
    middle = {"round": 0.36, "wide": 0.33, "tall": 0.45, "cone": 0.5}[form] * TALL_PX
    reach_y = {"round": 0.25, "wide": 0.2, "tall": 0.38, "cone": 0.43}[form] * TALL_PX
    reach_x = {"round": 0.34, "wide": 0.38, "tall": 0.17, "cone": 0.32}[form] * WIDE_PX
    y = np.sin(turn) * out
    narrow = (y + 1.08) / 2.1 if form == "cone" else np.ones(count)
    x = np.cos(turn) * out * narrow
    centres = np.stack([WIDE_PX / 2 + x * reach_x, middle + y * reach_y], 1)
    size = rng.uniform(30, 56, count) * (0.55 if form in {"tall", "cone"} else 1.0)
    return centres, size


def _leaves(rng: np.random.Generator, picture: U8, centres: F64, radii: F64) -> None:
    leaf = np.array(_LEAVES[int(rng.integers(len(_LEAVES)))]) * rng.uniform(0.85, 1.15)
    fine = rng.uniform(2.2, 4.2)
    for layer, tone in enumerate((0.42, 0.62, 0.85, 1.08, 1.32)):
        shift = np.array([-3.0, -4.5]) * layer
        per = 40 if layer < 2 else 26
        which = rng.integers(0, len(radii), per * len(radii))
        turn = rng.uniform(0, 2 * np.pi, len(which))
        out = np.sqrt(rng.uniform(0, 1, len(which))) * (1.05 - 0.13 * layer)
        spots = np.stack([np.cos(turn), np.sin(turn)], 1) * (out * radii[which])[:, None]
        spots += centres[which] + shift
        tones = tone * rng.uniform(0.8, 1.2, len(which))
        sizes = fine * rng.uniform(0.7, 1.6, len(which)) * (1.5 if layer == 0 else 1.0)
        colours = to_u8(leaf[None] * tones[:, None])
        for spot, size, colour in zip(
            np.rint(spots * 8).astype(int).tolist(), sizes.tolist(), colours.tolist(), strict=True
        ):
            cv2.circle(picture, spot, round(size * 8), (*colour, 255), -1, cv2.LINE_8, 3)
