"""What the ground is made of: worn asphalt, kerb stones, slabs; one tile across the street."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from rtseg._demo.noise import F32, U8, fractal_noise, generator, to_u8
from rtseg._demo.route import Profile

HALF_M = 16.0
"""The tile reaches this far to both sides of the centre line."""

ACROSS, ALONG = 36, 20
"""Texture pixels per metre across and along the street."""

PERIOD_M = 25.6
"""The tile repeats after this way."""

COLUMNS, ROWS = round(2 * HALF_M * ACROSS), round(PERIOD_M * ALONG)
KERB_M = 0.28


def street_tile(seed: int, profile: Profile) -> U8:
    """Return the ground tile uint8 [ROWS, COLUMNS, 4]: BGR, and the wear of markings as alpha."""
    rng = generator(seed, 5)
    d = ((np.arange(COLUMNS) + 0.5) / ACROSS - HALF_M).astype(np.float32)
    tile = np.empty((ROWS, COLUMNS, 3), np.float32)
    tile[:] = _asphalt(rng, d, profile)
    for side in (-1, 1):
        plot = _slabs(rng) if rng.random() < 0.75 else _tarmac(rng)
        outer = d * side >= abs(profile.kerb(side))
        tile[:, outer] = plot[:, outer]
        _yard(rng, tile, d * side >= abs(profile.frontage(side)) + 0.1)
        _kerb(rng, tile, d * np.float32(side) - np.float32(abs(profile.kerb(side))))
    wear = 205 + 70 * fractal_noise(rng, ROWS, COLUMNS, 40, 4)
    wear -= 60 * (fractal_noise(rng, ROWS, COLUMNS, 250, 2) > 0.55)
    result = np.empty((ROWS, COLUMNS, 4), np.uint8)
    result[:, :, :3] = to_u8(tile)
    result[:, :, 3] = to_u8(np.clip(wear, 70, 245))
    return result


def grain_tile(seed: int) -> U8:
    """Return the fine grain of near ground, uint8 [256, 256] around 128; 2 m wide."""
    rng = generator(seed, 6)
    fine = rng.normal(0, 1, (256, 256)).astype(np.float32)
    soft = cv2.GaussianBlur(fine, (0, 0), 1.2, borderType=cv2.BORDER_REFLECT)
    rough = fractal_noise(rng, 256, 256, 16, 3)
    return to_u8(128 + 26 * soft + 9 * fine * 0.5 + 6 * rough)


def _tinted(grey: F32, tint: F32) -> F32:
    return np.asarray(grey[:, :, None] * tint, np.float32)


def _asphalt(rng: np.random.Generator, d: F32, profile: Profile) -> F32:
    base = float(rng.uniform(86, 132))
    grey = base + 9 * fractal_noise(rng, ROWS, COLUMNS, 24, 3)
    grey += 5 * rng.standard_normal((ROWS, COLUMNS), dtype=np.float32)
    for lane_side in (-1, 1):
        middle = lane_side * profile.lane / 2
        for track in (-0.75, 0.75):
            grey += 6.0 * np.exp(-(((d - middle - track) / 0.33) ** 2))
        grey -= 7.0 * np.exp(-(((d - middle) / 0.3) ** 2))
        gutter = profile.kerb(lane_side)
        grey -= 12.0 * np.exp(-(((d - gutter) / 0.35) ** 2))
        if profile.parking[lane_side > 0]:
            bay = (d - gutter) * lane_side > -2.15
            grey[:, bay & ((d - gutter) * lane_side < 0)] += rng.uniform(-16, 10)
    _patches(rng, grey)
    _cracks(rng, grey)
    tint = np.array([1.02, 1.0, 0.99], np.float32) + rng.uniform(-0.02, 0.02, 3).astype(np.float32)
    return _tinted(grey.astype(np.float32), tint)


def _patches(rng: np.random.Generator, grey: F32) -> None:
    for _ in range(int(rng.integers(3, 9))):
        x = int(rng.uniform(0.3, 0.65) * COLUMNS)
        y = int(rng.uniform(0, ROWS - 120))
        wide, long = int(rng.uniform(0.6, 1.8) * ACROSS), int(rng.uniform(0.8, 5) * ALONG)
        grey[y : y + long, x : x + wide] += rng.uniform(-15, 9)
        edge = np.float32(rng.uniform(-22, -8))
        grey[y : y + long, [x, min(x + wide, COLUMNS - 1)]] += edge
        grey[[y, min(y + long, ROWS - 1)], x : x + wide] += edge
    for _ in range(int(rng.integers(1, 4))):
        centre = (int(rng.uniform(0.36, 0.62) * COLUMNS), int(rng.uniform(20, ROWS - 20)))
        axes = (round(0.32 * ACROSS), round(0.32 * ALONG))
        cv2.ellipse(grey, centre, axes, 0, 0, 360, 62.0, -1)
        cv2.ellipse(grey, centre, axes, 0, 0, 360, 44.0, 1)
        cv2.ellipse(grey, centre, (axes[0] // 2, axes[1] // 2), 0, 0, 360, 80.0, 1)


def _cracks(rng: np.random.Generator, grey: F32) -> None:
    for _ in range(int(rng.integers(2, 10))):
        x, y = rng.uniform(0.3, 0.7) * COLUMNS, rng.uniform(0, ROWS)
        steps = rng.normal(0, 1, (int(rng.integers(8, 30)), 2)) * (6, 3) + rng.normal(0, 6, 2)
        path = np.cumsum(np.vstack([[x, y], steps]), axis=0).astype(np.int32)
        cv2.polylines(grey, [path], False, float(grey.mean() - 26), 1, cv2.LINE_AA)


def _slabs(rng: np.random.Generator) -> F32:
    """Slabs in rows, each with its own tone, dark joints between."""
    wide, long = ((0.6, 0.9), (0.5, 0.5), (0.4, 0.8), (0.9, 0.6))[int(rng.integers(4))]
    x = np.arange(COLUMNS, dtype=np.float32) / ACROSS
    count_y = max(1, round(PERIOD_M / long))
    y = np.arange(ROWS, dtype=np.float32) / ALONG * (count_y / PERIOD_M)
    row = np.floor(y).astype(np.int32)
    shift = (row % 2)[:, None] * 0.5
    place = x[None] / wide + shift
    column = np.floor(place).astype(np.int32)
    tones = rng.normal(0, 7.5, (count_y, int(column.max()) + 1)).astype(np.float32)
    grey = rng.uniform(128, 172) + tones[row[:, None] % count_y, column]
    joint = np.minimum((place - column) * wide, (1 - (place - column)) * wide) < 0.022
    across = np.minimum((y - row) * long, (1 - (y - row)) * long) < 0.035
    grey = grey - 34 * (joint | across[:, None])
    grey += 6 * fractal_noise(rng, ROWS, COLUMNS, 20, 3) + 3.5 * rng.standard_normal(
        (ROWS, COLUMNS), dtype=np.float32
    )
    tint = np.array([0.93, 0.99, 1.03], np.float32)
    warm = rng.uniform(-0.04, 0.05)
    return _tinted(grey.astype(np.float32), tint + np.float32(warm) * np.array([-1, 0, 1], "f"))


def _tarmac(rng: np.random.Generator) -> F32:
    grey = rng.uniform(118, 150) + 10 * fractal_noise(rng, ROWS, COLUMNS, 40, 4)
    grey += 6 * rng.standard_normal((ROWS, COLUMNS), dtype=np.float32)
    reddish = np.array([0.9, 0.95, 1.08] if rng.random() < 0.4 else [0.97, 1.0, 1.02], np.float32)
    return _tinted(grey.astype(np.float32), reddish)


def _yard(rng: np.random.Generator, tile: F32, where: npt.NDArray[np.bool_]) -> None:
    """Behind the frontage: darker, rougher ground."""
    count = int(where.sum())
    if count:
        grey = rng.uniform(96, 128) + 14 * fractal_noise(rng, ROWS, COLUMNS, 60, 4)[:, :count]
        tile[:, where] = _tinted(grey.astype(np.float32), np.array([0.88, 0.97, 1.03], np.float32))


def _kerb(rng: np.random.Generator, tile: F32, beyond: F32) -> None:
    """A row of kerb stones: a dark face to the road, then a light top with joints."""
    face = (beyond > -0.1) & (beyond < 0.0)
    top = (beyond >= 0.0) & (beyond < KERB_M)
    tile[:, face] = tile[:, face] * 0.55
    stone = np.full((ROWS, int(top.sum()), 3), rng.uniform(150, 185), np.float32)
    stone += rng.normal(0, 5, (ROWS, 1, 1)).astype(np.float32)
    stone[:: round(PERIOD_M / 26 * ALONG)] -= 40
    tile[:, top] = stone
