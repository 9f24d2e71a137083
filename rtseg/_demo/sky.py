"""The sky and, at its foot, the far town that the street never reaches."""

from __future__ import annotations

import cv2
import numpy as np

from rtseg._demo.camera import View
from rtseg._demo.canvas import Canvas
from rtseg._demo.light import Light
from rtseg._demo.noise import F32, U8, fractal_noise, generator, tiling_noise, to_u8
from rtseg._demo.truth import BUILDING, SKY, TREE

_TURN = 2048
_ROWS = 384
_PER_RADIAN = _TURN / (2 * np.pi)

_ZENITH = {"sunny": (205, 138, 82), "overcast": (186, 180, 172), "dusk": (120, 82, 66)}
_HORIZON = {"sunny": (236, 218, 200), "overcast": (222, 220, 217), "dusk": (120, 160, 232)}


class Sky:
    """A panorama of sky, and two strips of silhouettes (houses, trees) on the horizon."""

    def __init__(self, seed: int, light: Light) -> None:
        rng = generator(seed, 4)
        self._light = light
        self._panorama = _panorama(rng, light)
        self._town = _town(rng, light)
        self._woods = _woods(rng, light)

    def paint(self, canvas: Canvas, view: View) -> None:
        """Paint the sky over the whole canvas and the far town at the horizon."""
        canvas.labels[:] = SKY
        rows = int(np.clip(np.ceil(view.horizon + 2), 1, canvas.height))
        scale = _PER_RADIAN / view.focal
        start = view.heading0 * _PER_RADIAN - canvas.width / 2 * scale + 1e4 * _TURN
        top = _ROWS - (view.horizon + 2) * scale * 1.3
        matrix = np.array([[scale, 0, start % _TURN], [0, scale * 1.3, top]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        sky = cv2.warpAffine(
            self._panorama, matrix, (canvas.width, rows), flags=flags, borderMode=cv2.BORDER_WRAP
        )
        canvas.image[:rows] = sky
        canvas.image[rows:] = sky[-1:]
        self._strip(canvas, view, self._town, BUILDING)
        self._strip(canvas, view, self._woods, TREE)

    def _strip(self, canvas: Canvas, view: View, strip: U8, class_id: int) -> None:
        scale = 2 * _PER_RADIAN / view.focal
        tall = strip.shape[0] / scale
        top = max(int(np.floor(view.horizon - tall)), 0)
        bottom = min(int(np.ceil(view.horizon)) + 2, canvas.height)
        if bottom <= top:
            return
        start = view.heading0 * 2 * _PER_RADIAN - canvas.width / 2 * scale
        row = strip.shape[0] - (view.horizon - top) * scale
        matrix = np.array([[scale, 0, start % strip.shape[1]], [0, scale, row]])
        stroke = cv2.warpAffine(
            strip,
            matrix,
            (canvas.width, bottom - top),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_WRAP,
        )
        stroke[0] = 0
        low = max(0, int(np.floor(view.horizon)) - top)
        stroke[low:] = stroke[max(low - 1, 0)]
        haze = (0.5, self._light.haze_bgr)
        gain = self._light.upright()
        canvas.lay(stroke, (0, top, canvas.width, bottom), class_id, gain, haze, 1.0)


def _panorama(rng: np.random.Generator, light: Light) -> U8:
    climb = np.linspace(1, 0, _ROWS, dtype=np.float32)[:, None, None] ** 0.75
    zenith, horizon = np.float32(_ZENITH[light.kind]), np.float32(_HORIZON[light.kind])
    blend = climb * zenith + (1 - climb) * horizon + np.zeros((1, _TURN, 1), np.float32)
    cover = {"sunny": rng.uniform(-0.2, 0.5), "overcast": 1.0, "dusk": rng.uniform(0.0, 0.6)}
    cloud, shade = _clouds(rng, float(cover[light.kind]))
    bright = {"sunny": (255, 253, 250), "overcast": (226, 224, 222), "dusk": (170, 178, 236)}
    dark = {"sunny": (206, 196, 188), "overcast": (168, 164, 160), "dusk": (112, 94, 96)}
    body = np.float32(bright[light.kind]) * (1 - shade) + np.float32(dark[light.kind]) * shade
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


def _town(rng: np.random.Generator, light: Light) -> U8:
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


def _woods(rng: np.random.Generator, light: Light) -> U8:
    """A strip of far tree tops, premultiplied BGRA, with gaps that show the houses."""
    height, width = 64, 2 * _TURN
    tops = 0.42 + 0.28 * tiling_noise(rng, 1, width, 40)[0] + 0.3 * tiling_noise(rng, 1, width, 9)[0]
    tops += 0.07 * tiling_noise(rng, 1, width, 400)[0]
    rows = np.linspace(1, 0, height, dtype=np.float32)[:, None]
    inside = rows < np.clip(tops, 0, 0.95)
    grain = fractal_noise(rng, height, width, 256, 3)
    value = np.clip(0.8 + 0.35 * grain + 0.4 * (rows - 0.4), 0.3, 1.3)[:, :, None]
    bgr = value * np.float32((62, 98, 84))
    strip = np.zeros((height, width, 4), np.uint8)
    strip[:, :, :3] = to_u8(bgr * inside[:, :, None])
    strip[:, :, 3] = inside * np.uint8(255)
    return strip
