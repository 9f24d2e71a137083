"""Lines along the borders between classes."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from rtseg.frames import Labels

LINE = 1 / 400
"""Thickness of an outline as a share of the picture's height."""


def outline_mask(labels: Labels) -> npt.NDArray[np.bool_]:
    """Return where a border between labels is near, on both sides of it, bool [H, W].

    The lines grow with the picture: one pixel on either side up to about 1000 rows.
    """
    side_px = 2 * reach_px(len(labels)) + 1
    # A square, and largest and smallest apart: OpenCV is quick at those, not at its gradient.
    kernel = np.ones((side_px, side_px), np.uint8)
    return np.asarray(cv2.dilate(labels, kernel) != cv2.erode(labels, kernel))


def reach_px(height: int) -> int:
    """Return how far a line reaches from its border in a picture of that height, pixels."""
    return max(1, round(height * LINE / 2))
