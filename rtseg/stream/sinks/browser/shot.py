"""What a camera shows at a moment, and its JPEG files: each size is encoded once at most."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import cv2
import numpy as np

from rtseg.frames import Image
from rtseg.stream.sinks.browser.workers import Workers

WIDTHS = (320, 480, 640, 960, 1280, 1920, 2560, 3840)
"""Pictures are sent at these widths, so that many clients share few encodings."""
SNAPSHOT_QUALITY = 92


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A picture as the page shows it.

    Args:
        number: counts what is shown, from 1; views of a lost signal count too.
        image_bgr: uint8 [H, W, 3].
        index: the frame's position in the source.
        captured_ns: when the frame was captured, monotonic clock.
        again: an old picture drawn anew: as that of a lost signal, or in another style while the
            stream is paused.
    """

    number: int
    image_bgr: Image
    index: int
    captured_ns: int
    again: bool = False


@dataclass(frozen=True, slots=True)
class Jpeg:
    """An encoded shot."""

    shot: Shot
    data: bytes


class JpegPress:
    """Encodes in a thread of its own."""

    def __init__(self) -> None:
        self._workers = Workers(1, "rtseg-page-jpeg")

    @property
    def spent_s(self) -> float:
        """The processor time that encoding has taken so far, seconds."""
        return self._workers.spent_s

    def submit(self, shot: Shot, width: int | None, quality: int) -> asyncio.Future[Jpeg]:
        """Return the encoded shot to come, at most `width` pixels wide; None: at its own size."""
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._workers, encoded, shot, width, quality)

    def close(self) -> None:
        """End the thread."""
        self._workers.shutdown(wait=True, cancel_futures=True)


def encoded(shot: Shot, width: int | None, quality: int) -> Jpeg:
    """Return a shot as JPEG, at most `width` pixels wide."""
    image = fitted(shot.image_bgr, width)
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return Jpeg(shot, data.tobytes())


def fitted(image_bgr: Image, width: int | None) -> Image:
    """Return a picture that is at most `width` pixels wide, in its own proportions."""
    height_px, width_px = image_bgr.shape[:2]
    if width is None or width >= width_px:
        return image_bgr
    size_wh = (width, max(1, round(height_px * width / width_px)))
    return np.asarray(cv2.resize(image_bgr, size_wh, interpolation=cv2.INTER_AREA), np.uint8)


def sent_width(wanted_px: int, largest_px: int) -> int:
    """Return the least of `WIDTHS` that isn't below the wanted one, and at most the largest."""
    return min(next((w for w in WIDTHS if w >= wanted_px), WIDTHS[-1]), largest_px)
