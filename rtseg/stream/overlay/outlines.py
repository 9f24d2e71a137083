"""Lines along the borders between classes."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from rtseg.frames import Labels

LINE = 1 / 400
"""Thickness of an outline as a share of the picture's height."""


def outline_mask(labels: Labels) -> npt.NDArray[np.uint8]:
    """Return 255 on both sides of every border between labels, uint8 [H, W].

    The lines grow with the picture: one pixel on either side up to about 720 rows.
    """
    reach_px = max(1, round(len(labels) * LINE / 2))
    size = 2 * reach_px + 1
    kernel = cv2.getStructuringElement(
        cv2.MORPH_CROSS if reach_px == 1 else cv2.MORPH_ELLIPSE, (size, size)
    )
    gradient = cv2.morphologyEx(labels, cv2.MORPH_GRADIENT, kernel)
    return np.asarray(cv2.threshold(gradient, 0, 255, cv2.THRESH_BINARY)[1], np.uint8)
