"""The last picture of a source whose signal is lost: grey, and it says so."""

from __future__ import annotations

import cv2
import numpy as np

from rtseg.frames import Image
from rtseg.stream.overlay.hud import Hud
from rtseg.stream.overlay.layout import Layout

_BRIGHTNESS = 0.6


class LostView:
    """Draws last pictures in grey with a notice; keeps what is the same from one to the next."""

    def __init__(self) -> None:
        self._hud = Hud()
        self._layout = Layout(1, 1)
        self._grey: tuple[Image, Image] | None = None

    def draw(self, image_bgr: Image, notice: str) -> Image:
        """Return a new picture of the same size [H, W, 3]: `image_bgr` greyed, with the notice."""
        if self._grey is None or self._grey[0] is not image_bgr:
            self._grey = image_bgr, _greyed(image_bgr)
        shown: Image = self._grey[1].copy()
        if self._layout.hw != shown.shape[:2]:
            self._layout = Layout(*shown.shape[:2])
        height, width = shown.shape[:2]
        self._hud.draw_notice(shown, self._layout, notice, height // 2, width)
        return shown


def _greyed(image_bgr: Image) -> Image:
    grey = cv2.convertScaleAbs(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY), alpha=_BRIGHTNESS)
    three: Image = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
    return three
