"""Translucent panels on a picture: composed when their content changes, blended every frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from rtseg.stream.overlay.lettering import Mask

Bgr = tuple[int, int, int]

BACKGROUND: Bgr = (26, 22, 20)
BACKGROUND_ALPHA = 0.72
TEXT: Bgr = (245, 245, 245)
FAINT_TEXT: Bgr = (186, 182, 178)
RIM: Bgr = (150, 147, 144)
WARNING: Bgr = (60, 190, 255)


@dataclass(eq=False)
class Panel:
    """A dark translucent rectangle with round corners, on which things are drawn.

    Args:
        height: in pixels.
        width: in pixels.
        corner_px: radius of its corners.
    """

    height: int
    width: int
    corner_px: int
    _ink: npt.NDArray[np.float32] = field(init=False, repr=False)
    _alpha: npt.NDArray[np.float32] = field(init=False, repr=False)
    _done: tuple[Any, Any] | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        alpha, ink = _empty(self.height, self.width, self.corner_px)
        self._alpha, self._ink = alpha.copy(), ink.copy()

    def draw(self, mask: Mask, left: int, top: int, colour: Bgr) -> None:
        """Ink a mask at a place, in a colour; what lies outside the panel is cut off."""
        height = max(0, min(mask.shape[0], self.height - top))
        width = max(0, min(mask.shape[1], self.width - left))
        cover = mask[:height, :width].astype(np.float32) / np.float32(255)
        area = slice(top, top + height), slice(left, left + width)
        self._alpha[area] += cover * (1 - self._alpha[area])
        kept = self._ink[area] * (1 - cover[..., None])
        self._ink[area] = kept + cover[..., None] * np.array(colour, np.float32)
        self._done = None

    def blend(self, image_bgr: npt.NDArray[np.uint8], left: int, top: int) -> None:
        """Lay the panel over a picture, in place; what lies outside the picture is cut off."""
        if self._done is None:
            kept = (255.5 - self._alpha * 255).astype(np.uint8)
            self._done = cv2.merge([kept, kept, kept]), (self._ink + 0.5).astype(np.uint8)
        keep, ink = self._done
        area = image_bgr[top : top + self.height, left : left + self.width]
        height, width = area.shape[:2]
        if not area.size:
            return
        dimmed = cv2.multiply(area, keep[:height, :width], scale=1 / 255)
        cv2.add(dimmed, ink[:height, :width], dst=area)


@lru_cache(maxsize=32)
def _empty(
    height: int, width: int, corner_px: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return opacity and ink of a panel without content, for copies."""
    shape = rounded_rectangle(height, width, corner_px)
    alpha = shape.astype(np.float32) * np.float32(BACKGROUND_ALPHA / 255)
    return alpha, alpha[..., None] * np.array(BACKGROUND, np.float32)


@lru_cache(maxsize=64)
def rounded_rectangle(height: int, width: int, corner_px: int) -> Mask:
    """Return a filled rectangle with smooth round corners as a mask, uint8 [height, width].

    Don't write to it.
    """
    radius = max(0, min(corner_px, height // 2, width // 2))
    mask = np.full((height, width), 255, np.uint8)
    if radius:
        centres = np.arange(radius) + 0.5
        away = np.hypot.outer(radius - centres, radius - centres)
        corner = (np.clip(radius - away + 0.5, 0, 1) * 255).astype(np.uint8)
        mask[:radius, :radius] = corner
        mask[:radius, -radius:] = corner[:, ::-1]
        mask[-radius:] = mask[:radius][::-1]
    return mask
