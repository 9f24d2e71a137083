"""Decoded pictures of any pixel format as BGR, with the colours that were filmed.

FFmpeg's scaler does it in one pass; PyAV hands it the matrix and range of the picture only where
they are named. Measured on 1280x720 4:2:0: OpenCV's conversion is no faster, and it takes every
film for BT.601 with limited range.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from rtseg.frames import Image

_UNSPECIFIED, _BT601 = 2, (5, 6)
"""Values of FFmpeg's AVColorSpace."""
_LIMITED, _FULL = 1, 2
"""Values of FFmpeg's AVColorRange."""
_FILM_CODECS = ("h264", "hevc", "vp9", "av1", "mpeg1video", "mpeg2video", "mpeg4")
"""Whose grey pictures have a limited range unless they say otherwise; PNG's and others' a full."""
_STRETCHED = np.clip(np.round((np.arange(256) - 16) * 255 / 219), 0, 255).astype(np.uint8)
_SD_WH = (1024, 576)
"""Larger pictures that don't name their matrix are BT.709, as players take them."""


class BgrConverter:
    """Converts the pictures of one stream, whose format and size may change on the way.

    Alpha is left aside: the colours are those stored. High dynamic range is not tone-mapped.

    Args:
        codec: what the stream was encoded with, in FFmpeg's words.
    """

    def __init__(self, codec: str) -> None:
        self._codec = codec
        self._scaler = VideoReformatter()
        self._threads = {"threads": 1} if _takes_threads() else {}

    def convert(self, frame: Any, aspect: Fraction) -> Image:
        """Return an `av.VideoFrame` as uint8 [H, W, 3] BGR, its own memory.

        Args:
            aspect: width : height of a stored pixel; others than 1 are stretched to squares.

        Raises:
            av.error.FFmpegError, ValueError: the scaler doesn't know the format.
        """
        width, height = square_wh(frame.width, frame.height, aspect)
        scaled = self._scaler.reformat(
            frame, width, height, "bgr24", **_colours(frame), **self._threads
        )
        plane: Any = scaled.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        # Made for this call, so that the array may keep its memory; only padded rows are copied.
        image: Image = np.require(rows[:height, : 3 * width], requirements=["C", "W"])
        image = image.reshape(height, width, 3)
        if self._is_limited_grey(frame):
            image = np.asarray(cv2.LUT(image, _STRETCHED), np.uint8)
        return image

    def _is_limited_grey(self, frame: Any) -> bool:
        """Return whether black is 16 and white 235 in a grey picture."""
        if not frame.format.name.startswith(("gray", "ya")):
            return False
        colour_range = int(frame.color_range)
        return colour_range == _LIMITED or (colour_range == 0 and self._codec in _FILM_CODECS)


def square_wh(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """Return the size with square pixels: the side that is too short grows, none shrinks."""
    if aspect > 1:
        return max(1, round(width * aspect)), height
    return width, max(1, round(height / aspect))


def usable_aspect(aspect: Fraction | None) -> Fraction:
    """Return the aspect of a pixel; 1 where it is missing, or is too odd to be meant."""
    if not aspect or not Fraction(1, 4) <= aspect <= 4:
        return Fraction(1)
    return Fraction(aspect)


def _colours(frame: Any) -> dict[str, Any]:
    """Return the scaler's arguments for the matrix and range of a picture."""
    name: str = frame.format.name
    if frame.format.is_rgb or name.startswith(("pal8", "bayer", "mono")):
        return {}
    matrix = int(frame.colorspace)
    # What grey has of a range is left to `_is_limited_grey`: the scaler heeds it for some depths.
    is_full = int(frame.color_range) == _FULL or name.startswith(("yuvj", "gray", "ya"))
    arguments = {
        "src_color_range": "JPEG" if is_full else "MPEG",
        "dst_color_range": "JPEG",
        # BGR has no matrix, but PyAV 14 hands over that of the source only where they differ.
        "dst_colorspace": "ITU709" if matrix in _BT601 else "ITU601",
    }
    if matrix == _UNSPECIFIED:
        is_hd = frame.width > _SD_WH[0] or frame.height > _SD_WH[1]
        source = "ITU709" if is_hd and not is_full else "ITU601"
        arguments |= {"src_colorspace": source}
        arguments |= {"dst_colorspace": "ITU601" if source == "ITU709" else "ITU709"}
    return arguments


@cache
def _takes_threads() -> bool:
    """Return whether PyAV lets its caller choose the scaler's threads; else it takes one."""
    try:
        VideoReformatter().reformat(av.VideoFrame(16, 16, "gray"), format="bgr24", threads=1)
    except TypeError:
        return False
    return True
