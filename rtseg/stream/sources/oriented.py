"""Turning and mirroring pictures: as a file's metadata say, or as a person does."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import TypeVar

import cv2
import numpy as np

from rtseg.frames import Frame
from rtseg.stream.sources.settings import SourceConfig
from rtseg.stream.sources.source import Source

_Pixels = TypeVar("_Pixels", bound=np.ndarray)

_TURNS = {1: cv2.ROTATE_90_CLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_COUNTERCLOCKWISE}
_MIRROR = 1
"""OpenCV's code for left to right."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """One of the eight ways to lay a picture.

    Args:
        turns: quarter turns clockwise, 0 to 3.
        mirrored: left and right are swapped after it was turned.
    """

    turns: int = 0
    mirrored: bool = False

    @classmethod
    def of_config(cls, config: SourceConfig) -> Orientation:
        """Return what `rotate` and `flip` ask for; ``auto`` turns nothing here."""
        turns = 0 if config.rotate == "auto" else int(config.rotate) // 90
        # Top to bottom is half a turn and left to right.
        half = config.flip in ("vertical", "both")
        mirrored = config.flip in ("horizontal", "vertical")
        return cls((turns + 2 * half) % 4, mirrored)

    @classmethod
    def of_display_matrix(cls, matrix: bytes) -> Orientation:
        """Return how a decoded picture is to be laid by FFmpeg's display matrix.

        The matrix, nine int32, maps a stored point (x, y) to (a x + c y, b x + d y) on the screen,
        both with y downwards. Angles between the quarters go to the nearest.
        """
        if len(matrix) < 36:
            return cls()
        a, b, _, c, d = struct.unpack_from("=5i", matrix)
        mirrored = a * d - b * c < 0
        if mirrored:  # undo the mirroring, which comes last, to see the turn
            a, c = -a, -c
        turns = (0 if a > 0 else 2) if abs(a) >= abs(b) else (1 if b > 0 else 3)
        return cls(turns, mirrored)

    @property
    def swaps_axes(self) -> bool:
        """Whether width becomes height."""
        return self.turns % 2 == 1

    def hw(self, hw: tuple[int, int]) -> tuple[int, int]:
        """Return height and width after turning a picture of `hw`."""
        return (hw[1], hw[0]) if self.swaps_axes else hw

    def apply(self, pixels: _Pixels) -> _Pixels:
        """Return [H, W] or [H, W, C] laid so; the very array where nothing is to do."""
        laid = cv2.rotate(pixels, _TURNS[self.turns]) if self.turns else pixels
        return cv2.flip(laid, _MIRROR) if self.mirrored else laid  # type: ignore[return-value]


class Oriented(Source):
    """A source whose frames, image and truth, are turned and mirrored.

    Args:
        source: what is turned; closed with this one.
        orientation: how.
    """

    def __init__(self, source: Source, orientation: Orientation) -> None:
        self._source = source
        self._orientation = orientation
        self.info = replace(source.info, hw=orientation.hw(source.info.hw))
        self.reception = source.reception

    def read(self) -> Frame | None:
        """Return the next frame, turned; None at the end."""
        frame = self._source.read()
        if frame is None:
            return None
        truth = None if frame.truth is None else self._orientation.apply(frame.truth)
        return replace(frame, image_bgr=self._orientation.apply(frame.image_bgr), truth=truth)

    def take_replaced(self) -> int:
        """Return how many frames were left out for newer ones, since the last call."""
        return self._source.take_replaced()

    def interrupt(self) -> None:
        """Interrupt the source."""
        self._source.interrupt()

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def problems(self) -> list[str]:
        """Return the source's own."""
        return self._source.problems()
