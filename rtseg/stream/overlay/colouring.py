"""Class colours over a frame: which classes are coloured, how strongly, with which outlines."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from rtseg.classes import VOID, ClassSet
from rtseg.frames import Image, Labels
from rtseg.stream.overlay.outlines import outline_mask
from rtseg.stream.overlay.palette import palette_bgr
from rtseg.stream.overlay.style import OverlayStyle

LIGHTER = 0.35
"""How far the outlines' colour is mixed with white, so that they stand out from their class."""


class Colouring:
    """Colours class maps in one style; made anew when the style changes.

    Args:
        style: palette, strength, which classes, outlines.
        classes: what the labels mean.

    Raises:
        UnknownNameError: the style names a class that there isn't.
    """

    def __init__(self, style: OverlayStyle, classes: ClassSet) -> None:
        self.coloured = coloured_ids(style, classes)
        """Ids of the classes that are coloured, ascending."""
        self.palette: npt.NDArray[np.uint8] = palette_bgr(classes, style.palette)
        """uint8 [256, 3] BGR."""
        self._style = style
        hidden = np.full(256, 255, np.uint8)
        hidden[list(self.coloured)] = 0
        self.hidden: npt.NDArray[np.bool_] = hidden > 0
        """bool [256]: where the frame stays as it is."""
        self._hidden = hidden
        self._hides_classes = len(self.coloured) < len(classes)
        shown = self.palette.copy()
        shown[hidden > 0] = 0
        white = np.full_like(shown, 255)
        lighter = cv2.addWeighted(shown, 1 - LIGHTER, white, LIGHTER, 0)
        self.colours_bgr: npt.NDArray[np.uint8] = shown
        """uint8 [256, 3] BGR of what is coloured; else black."""
        self.line_colours_bgr: npt.NDArray[np.uint8] = np.asarray(lighter, np.uint8)
        """uint8 [256, 3] BGR of the outlines."""
        self._line_lut = self.line_colours_bgr[:, None]
        self._lut = np.ascontiguousarray(shown[:, None])

    def paint(self, frame_bgr: Image, labels: Labels, out: Image) -> None:
        """Colour a frame: `out` [H, W, 3] is written, frame and labels are not.

        Args:
            frame_bgr: uint8 [H, W, 3].
            labels: uint8 [H, W].
            out: may be a part of a larger picture.
        """
        alpha = self._style.alpha
        colours = np.asarray(cv2.applyColorMap(labels, self._lut), np.uint8)
        cv2.addWeighted(frame_bgr, 1 - alpha, colours, alpha, 0, dst=out)
        uncoloured = self._uncoloured(labels)
        if uncoloured is not None:
            cv2.copyTo(frame_bgr, uncoloured, out)
        if self._style.outlines:
            self._outline(labels, uncoloured, out)

    def paint_alone(self, labels: Labels, out: Image) -> None:
        """Write the colours without the frame; what isn't coloured is black."""
        cv2.applyColorMap(labels, self._lut, dst=out)

    def _outline(self, labels: Labels, uncoloured: Labels | None, out: Image) -> None:
        lines = outline_mask(labels)
        if uncoloured is not None:
            lines &= uncoloured == 0
        cv2.copyTo(cv2.applyColorMap(labels, self._line_lut), lines.view(np.uint8), out)

    def _uncoloured(self, labels: Labels) -> Labels | None:
        """Return 255 where the frame stays as it is; None where nothing does."""
        if self._hides_classes:
            return np.asarray(cv2.LUT(labels, self._hidden), np.uint8)
        void = (labels == VOID).view(np.uint8) * np.uint8(255)
        return void if cv2.countNonZero(void) else None


def coloured_ids(style: OverlayStyle, classes: ClassSet) -> tuple[int, ...]:
    """Return the ids of the classes that a style colours, ascending.

    Raises:
        UnknownNameError: the style names a class that there isn't.
    """
    wanted = {classes.id_of(name) for name in style.classes} or set(range(len(classes)))
    hidden = {classes.id_of(name) for name in style.hide}
    return tuple(sorted(wanted - hidden))
