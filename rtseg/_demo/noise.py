"""Randomness that is a pure function of integers, and the noise that textures are made of."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

U8: TypeAlias = npt.NDArray[np.uint8]
U16: TypeAlias = npt.NDArray[np.uint16]
F32: TypeAlias = npt.NDArray[np.float32]
F64: TypeAlias = npt.NDArray[np.float64]

_MASK = (1 << 64) - 1


def generator(*keys: int) -> np.random.Generator:
    """Return a generator that depends on `keys` alone (negative keys are allowed)."""
    return np.random.default_rng([key & _MASK for key in keys])


def mixed(*keys: int) -> int:
    """Return 64 well-mixed bits of `keys` (splitmix64's finaliser); cheaper than a generator."""
    state = 0
    for key in keys:
        state = (state + (key & _MASK) + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


def unit(*keys: int) -> float:
    """Return a number in [0, 1) that depends on `keys` alone."""
    return (mixed(*keys) >> 11) / float(1 << 53)


def tiling_noise(rng: np.random.Generator, height: int, width: int, cells: int) -> F32:
    """Return smooth noise of about -1..1 [height, width] that tiles; `cells` bumps per width."""
    rows = max(1, round(cells * height / width))
    coarse = rng.uniform(-1, 1, (rows, cells)).astype(np.float32)
    pad = np.pad(coarse, 2, mode="wrap")
    step_y, step_x = height / rows, width / cells
    full = (round((cells + 4) * step_x), round((rows + 4) * step_y))
    big = cv2.resize(pad, full, interpolation=cv2.INTER_CUBIC)
    top, left = round(2 * step_y), round(2 * step_x)
    return np.asarray(big[top : top + height, left : left + width], np.float32)


def fractal_noise(
    rng: np.random.Generator, height: int, width: int, cells: int, octaves: int
) -> F32:
    """Return `octaves` of tiling noise [height, width], each twice as fine and half as strong."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        count = cells << octave
        if count > width // 2:
            break
        total += tiling_noise(rng, height, width, count) * np.float32(0.5**octave)
    return total


def to_u8(values: npt.NDArray[np.floating]) -> U8:
    """Round and clip to uint8."""
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
