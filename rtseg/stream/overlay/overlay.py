"""The overlay stage: a class map becomes a picture."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from rtseg.classes import ClassSet
from rtseg.frames import ClassMap, Picture
from rtseg.stream.overlay.hud import HudValues
from rtseg.stream.overlay.style import OverlayStyle
from rtseg.stream.stage import Stage


class Overlay(Stage):
    """Draws class maps onto their frames.

    Args:
        style: asked for each frame.
        classes: what the labels mean.
        hud: asked for each frame whose style shows the head-up display.
    """

    name = "overlay"

    def __init__(
        self, style: Callable[[], OverlayStyle], classes: ClassSet, hud: Callable[[], HudValues]
    ) -> None:
        self._style, self._classes, self._hud = style, classes, hud

    def process(self, item: ClassMap) -> Picture:
        """Return the picture of a class map."""
        alpha = self._style().alpha
        colours = cv2.applyColorMap(item.labels, self._classes.palette_bgr()[:, None])
        image = cv2.addWeighted(item.frame.image_bgr, 1 - alpha, colours, alpha, 0)
        return Picture(np.asarray(image, np.uint8), item.frame, item)
