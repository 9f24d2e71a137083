"""From pictures of any size to the frames of one size and format that an encoder takes."""

from __future__ import annotations

import av
import cv2
import numpy as np

from rtseg.frames import Image

_SMALLEST_PX = 16
"""A macroblock; encoders and players stumble over less."""


class Canvas:
    """The frames of a film: 4:2:0, so of even size, BT.601 matrix, limited range.

    An odd width or height is made even by repeating the last column or row; less than 16 pixels
    are filled up in the same way. A picture of another size than the first is scaled to fit, with
    black bars beside or above it.

    OpenCV's conversion takes a quarter of the time of FFmpeg's (0.9 against 4 ms of one core for
    1280x720). It knows the BT.601 matrix alone, so that is how the film is tagged, whatever its
    size.

    Args:
        first_hw: height and width of the first picture, pixels.
    """

    def __init__(self, first_hw: tuple[int, int]) -> None:
        self.hw = first_hw
        height, width = (max(side + side % 2, _SMALLEST_PX) for side in first_hw)
        self.even_hw = (height, width)

    def fits(self, image_bgr: Image) -> bool:
        """Return whether a picture has the first one's size."""
        return image_bgr.shape[:2] == self.hw

    def frame(self, image_bgr: Image) -> av.VideoFrame:
        """Return a picture as a frame of the film; it doesn't share the picture's memory."""
        if not self.fits(image_bgr):
            image_bgr = letterboxed(image_bgr, self.hw)
        if self.even_hw != self.hw:
            bottom, right = self.even_hw[0] - self.hw[0], self.even_hw[1] - self.hw[1]
            image_bgr = _with_border(image_bgr, (0, bottom, 0, right), cv2.BORDER_REPLICATE)
        planes = np.asarray(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2YUV_I420), np.uint8)
        if self.even_hw[0] % 4 == 0:
            return av.VideoFrame.from_numpy_buffer(planes, format="yuv420p")
        return av.VideoFrame.from_ndarray(planes, format="yuv420p")  # the other loses two rows


def letterboxed(image_bgr: Image, hw: tuple[int, int]) -> Image:
    """Return a picture scaled to fit into `hw`, centred, on black."""
    height, width = image_bgr.shape[:2]
    scale = min(hw[0] / height, hw[1] / width)
    inner_h = min(max(round(height * scale), 1), hw[0])
    inner_w = min(max(round(width * scale), 1), hw[1])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    inner = cv2.resize(image_bgr, (inner_w, inner_h), interpolation=method)
    top, left = (hw[0] - inner_h) // 2, (hw[1] - inner_w) // 2
    border = (top, hw[0] - inner_h - top, left, hw[1] - inner_w - left)
    return _with_border(np.asarray(inner, np.uint8), border, cv2.BORDER_CONSTANT)


def _with_border(image_bgr: Image, border: tuple[int, int, int, int], kind: int) -> Image:
    """Add (top, bottom, left, right) pixels."""
    return np.asarray(cv2.copyMakeBorder(image_bgr, *border, kind, value=(0, 0, 0)), np.uint8)
