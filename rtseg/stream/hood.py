"""The own bonnet, which is no part of the scene: where it covers the picture, labels are void."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from rtseg.errors import DataError
from rtseg.fit import Fit
from rtseg.frames import Frame, Labels
from rtseg.stream.hood_finder import HoodFinder


class Hood(Protocol):
    """Says where the bonnet is."""

    def mask(self, frame: Frame) -> Labels | None:
        """Return uint8 [*frame.hw], 255 on the bonnet and 0 elsewhere; None: there is none."""


def open_hood(choice: str | None) -> Hood | None:
    """Return the bonnet of a configuration's `hood`.

    Args:
        choice: a picture's path, "auto", or None for none.

    Raises:
        DataError: the picture can't be read, or marks nothing or everything.
    """
    if choice is None:
        return None
    return HoodFinder() if choice == "auto" else HoodFile(Path(choice))


class HoodFile:
    """A bonnet that was painted into a picture of any size.

    Args:
        path: a picture with transparency, in which the bonnet is what isn't transparent; or one
            without, in which the bonnet is white and the rest black.

    Raises:
        DataError: the file can't be read as a picture, or marks nothing or everything.
    """

    def __init__(self, path: Path) -> None:
        self._painted = _read(path)
        self._scaled: Labels | None = None

    def mask(self, frame: Frame) -> Labels:
        """Return the painted mask at the frame's size."""
        if self._scaled is None or self._scaled.shape != frame.hw:
            self._scaled = Fit("stretch", frame.hw, _hw(self._painted)).labels_to_frame(
                self._painted
            )
        return self._scaled


def _read(path: Path) -> Labels:
    try:
        encoded = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise DataError(
            f"can't read the bonnet's mask {path}: {error.strerror or error}; give a PNG file, "
            "or auto"
        ) from None
    try:
        picture = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) if encoded.size else None
    except cv2.error:
        picture = None
    if picture is None:
        raise DataError(f"the bonnet's mask {path} is no picture that OpenCV reads; use a PNG file")
    mask: Labels = np.where(_strength(picture) >= 0.5, 255, 0).astype(np.uint8)
    if not 0 < np.count_nonzero(mask) < mask.size:
        what = "everything" if mask.any() else "nothing"
        raise DataError(
            f"the bonnet's mask {path} marks {what}; paint the bonnet white on black, or on a "
            "transparent ground"
        )
    return mask


def _strength(picture: np.ndarray) -> np.ndarray:
    """Return what a picture marks, 0-1 [H, W]: its opacity, or its brightness where all is opaque.

    8 and 16 bits, grey, grey with alpha, colour.
    """
    largest = np.iinfo(picture.dtype).max if picture.dtype.kind == "u" else 1.0
    channels = np.atleast_3d(picture).astype(np.float32) / largest
    if channels.shape[2] in (2, 4) and float(channels[..., -1].min()) < 1:
        opacity: np.ndarray = channels[..., -1]
        return opacity
    colour = channels[..., : 3 if channels.shape[2] > 2 else 1]
    return np.asarray(colour.mean(axis=2))


def _hw(mask: Labels) -> tuple[int, int]:
    return int(mask.shape[0]), int(mask.shape[1])
