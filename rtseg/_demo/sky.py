"""The sky and, at its foot, the far town that the street never reaches."""

from __future__ import annotations

from math import ceil

import cv2
import numpy as np

from rtseg._demo.camera import FOCAL, View
from rtseg._demo.canvas import Canvas
from rtseg._demo.light import Light
from rtseg._demo.noise import F32, U8, fractal_noise, generator, tiling_noise, to_u8
from rtseg._demo.truth import BUILDING, SKY, TREE

_TURN = 2048
_ROWS = 384
_PER_RADIAN = _TURN / (2 * np.pi)
_SQUEEZE = 1.3

_ZENITH = {"sunny": (205, 138, 82), "overcast": (186, 180, 172), "dusk": (120, 82, 66)}
_HORIZON = {"sunny": (236, 218, 200), "overcast": (222, 220, 217), "dusk": (120, 160, 232)}


class Sky:
    """All that is beyond the street, painted once around the whole turn at the picture's scale.

    Each frame shows a window of it. It moves by whole pixels, picture and truth together.
    """

    def __init__(self, seed: int, light: Light, width: int, height: int) -> None:
        rng = generator(seed, 4)
        focal = FOCAL * width
        self._above = ceil(0.5 * height + 0.12 * width)
        below = ceil(0.14 * width)
        turn = round(2 * np.pi * focal)
        backdrop = Canvas(turn, self._above + below)
        backdrop.labels[:] = SKY
        sky = _panorama(rng, light)
        rows = sky[_ROWS - min(_ROWS, round(self._above * _PER_RADIAN / focal * _SQUEEZE)) :]
        size = (turn, self._above)
        backdrop.image[: self._above] = cv2.resize(rows, size, interpolation=cv2.INTER_CUBIC)
        for strip, class_id, share in (
            (_town(rng), BUILDING, 0.55),
            (_woods(rng), TREE, 0.5),
        ):
            self._add(backdrop, strip, class_id, light, share)
        foot = self._above - 1
        backdrop.image[foot:] = backdrop.image[foot]
        backdrop.labels[foot:] = backdrop.labels[foot]
        wrap = ((0, 0), (0, width))
        self._image = np.pad(backdrop.image, (*wrap, (0, 0)), mode="wrap")
        self._labels = np.pad(backdrop.labels, wrap, mode="wrap")
        self._turn, self._focal = turn, focal

    def _add(self, backdrop: Canvas, strip: U8, class_id: int, light: Light, share: float) -> None:
        """Lay a strip of silhouettes with its foot on the horizon."""
        tall = max(2, round(strip.shape[0] * backdrop.width / strip.shape[1]))
        size = (backdrop.width, tall)
        stroke = np.asarray(cv2.resize(strip, size, interpolation=cv2.INTER_AREA), np.uint8)
        box = (0, self._above - tall, backdrop.width, self._above)
        backdrop.lay(stroke, box, class_id, light.upright(), (share, light.haze_grey), 1.0)

    def paint(self, canvas: Canvas, view: View) -> None:
        """Paint the whole canvas with the window that the camera sees."""
        left = round(view.heading0 * self._focal - canvas.width / 2) % self._turn
        top = round(self._above - view.horizon)
        last = self._image.shape[0] - 1
        rows = np.clip(np.arange(top, top + canvas.height), 0, last)
        first, end = int(np.searchsorted(rows, 1)), int(np.searchsorted(rows, last))
        window = np.s_[left : left + canvas.width]
        inside = np.s_[rows[first] : rows[first] + end - first]
        canvas.image[first:end] = self._image[inside, window]
        canvas.labels[first:end] = self._labels[inside, window]
        for part, row in ((np.s_[:first], 0), (np.s_[end:], last)):
            canvas.image[part] = self._image[row, window]
            canvas.labels[part] = self._labels[row, window]


def _panorama(rng: np.random.Generator, light: Light) -> U8:
    climb = np.linspace(1, 0, _ROWS, dtype=np.float32)[:, None, None] ** 0.75
    zenith, horizon = (
        np.array(_ZENITH[light.kind], np.float32),
        np.array(_HORIZON[light.kind], np.float32),
    )
    blend = climb * zenith + (1 - climb) * horizon + np.zeros((1, _TURN, 1), np.float32)
    cover = {"sunny": rng.uniform(-0.2, 0.5), "overcast": 1.0, "dusk": rng.uniform(0.0, 0.6)}
    cloud, shade = _clouds(rng, float(cover[light.kind]))
    bright = {"sunny": (255, 253, 250), "overcast": (226, 224, 222), "dusk": (170, 178, 236)}
    dark = {"sunny": (206, 196, 188), "overcast": (168, 164, 160), "dusk": (112, 94, 96)}
    body = (
        np.array(bright[light.kind], np.float32) * (1 - shade)
        + np.array(dark[light.kind], np.float32) * shade
    )
    strength = cloud * (0.92 if light.kind != "overcast" else 0.8)
    bgr = blend * (1 - strength) + body * strength
    bgra = np.full((_ROWS, _TURN, 4), 255, np.uint8)
    bgra[:, :, :3] = to_u8(bgr)
    return bgra


def _clouds(rng: np.random.Generator, cover: float) -> tuple[F32, F32]:
    """Cover and shade [rows, turn, 1]: noise squeezed towards the horizon, as a flat deck looks."""
    deck = fractal_noise(rng, 1024, _TURN, 10, 6)
    elevation = np.linspace(1, 0.02, _ROWS, dtype=np.float32)
    row = np.clip(60 / (elevation + 0.07), 0, 1000)
    columns = np.arange(_TURN, dtype=np.float32)
    map_x, map_y = np.meshgrid(columns, row.astype(np.float32))
    seen = cv2.remap(deck, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    amount = np.clip((seen + cover - 0.1) * 1.6, 0, 1)
    below = cv2.remap(deck, map_x, map_y - 10, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    shade = np.clip(0.35 + (seen - below) * 1.2 + 0.25 * seen, 0, 1)
    return amount[:, :, None].astype(np.float32), shade[:, :, None].astype(np.float32)


def _town(rng: np.random.Generator) -> U8:
    """A strip of far houses, premultiplied BGRA, twice the panorama's resolution."""
    height, width = 96, 2 * _TURN
    strip = np.zeros((height, width, 4), np.uint8)
    x = 0
    while x < width:
        wide = int(rng.integers(14, 50))
        tall = int(rng.uniform(0.25, 0.75) * height)
        grey = rng.uniform(95, 190)
        colour = (grey + rng.uniform(-25, 12), grey + rng.uniform(-8, 8), grey + rng.uniform(0, 25))
        cv2.rectangle(strip, (x, height - tall), (x + wide, height), (*colour, 255), -1)
        dark = tuple(value * 0.62 for value in colour)
        for row in range(height - tall + 4, height, 7):
            for column in range(x + 3, x + wide - 3, 6):
                cv2.rectangle(strip, (column, row), (column + 2, row + 3), (*dark, 255), -1)
        x += wide
    return strip


def _woods(rng: np.random.Generator) -> U8:
    """A strip of far tree tops, premultiplied BGRA, with gaps that show the houses."""
    height, width = 64, 2 * _TURN
    tops = (
        0.42 + 0.28 * tiling_noise(rng, 1, width, 40)[0] + 0.3 * tiling_noise(rng, 1, width, 9)[0]
    )
    tops += 0.07 * tiling_noise(rng, 1, width, 400)[0]
    rows = np.linspace(1, 0, height, dtype=np.float32)[:, None]
    inside = rows < np.clip(tops, 0, 0.95)
    grain = fractal_noise(rng, height, width, 256, 3)
    value = np.clip(0.8 + 0.35 * grain + 0.4 * (rows - 0.4), 0.3, 1.3)[:, :, None]
    bgr = value * np.array((62, 98, 84), np.float32)
    strip = np.zeros((height, width, 4), np.uint8)
    strip[:, :, :3] = to_u8(bgr * inside[:, :, None])
    strip[:, :, 3] = inside * np.uint8(255)
    return strip
