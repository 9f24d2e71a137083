"""What the camera adds: vignette, exposure, softness and sensor noise."""

from __future__ import annotations

import cv2
import numpy as np

from rtseg._demo.light import Light
from rtseg._demo.noise import U8, generator, mixed

_SLACK = 64


class Lens:
    """A camera's marks on pictures of one size."""

    def __init__(self, seed: int, width: int, height: int, light: Light) -> None:
        rng = generator(seed, 7)
        self._seed, self._width, self._height = seed, width, height
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        far = ((x / width - 0.5) ** 2 + ((y / height - 0.5) * height / width) ** 2) * 4
        strength = float(rng.uniform(0.1, 0.26))
        tint = rng.uniform(0.96, 1.04, 3).astype(np.float32)
        level = {"sunny": 1.13, "overcast": 1.05, "dusk": 1.08}[light.kind]
        fall = 128 * level * (1 - strength * far)[:, :, None] * tint
        self._fall = np.clip(np.rint(fall), 0, 255).astype(np.uint8)
        sigma = {"sunny": 1.6, "overcast": 2.2, "dusk": 3.2}[light.kind] * rng.uniform(0.7, 1.3)
        self._blur = float(rng.uniform(0.35, 0.6))
        shape = (height + _SLACK, width + _SLACK, 3)
        noise = rng.standard_normal(shape, dtype=np.float32) * np.float32(sigma)
        self._plus = np.clip(np.rint(noise), 0, 40).astype(np.uint8)
        self._minus = np.clip(np.rint(-noise), 0, 40).astype(np.uint8)

    def expose(self, image: U8, index: int, exposure: float) -> U8:
        """Turn the painted picture [H, W, 4] of frame `index` into the camera's [H, W, 3]."""
        picture = cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)
        picture = cv2.multiply(picture, self._fall, scale=exposure / 128)
        picture = cv2.GaussianBlur(picture, (3, 3), self._blur)
        bits = mixed(self._seed, index)
        top, left = bits % _SLACK, (bits >> 8) % _SLACK
        window = np.s_[top : top + self._height, left : left + self._width]
        picture = cv2.subtract(picture, np.ascontiguousarray(self._minus[window]))
        picture = cv2.add(picture, np.ascontiguousarray(self._plus[window]))
        return np.asarray(picture, np.uint8)
