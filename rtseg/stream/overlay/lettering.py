"""Text as masks: the letters of a line, ready to be inked in any colour.

OpenCV 5 brings a scalable font that knows most alphabets. Before that, OpenCV had stroke fonts
that know ASCII alone: they are drawn large and averaged down, which makes them as crisp as the
size allows, and letters that they lack lose their accents or become "?".
"""

from __future__ import annotations

import math
import unicodedata
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.uint8]
"""uint8 [h, w]: how much of each pixel a letter covers, 0-255."""

SCALABLE = hasattr(cv2, "FontFace")
"""Whether this OpenCV has fonts that scale (5 and later)."""

_LINE = 1.3
"""Height of a line, in text sizes."""
_BASELINE = 0.98
"""How far the letters' foot lies below a line's top, in text sizes."""
_REGULAR, _BOLD = 400, 600
_STROKE_SUPERSAMPLING = 4
_STROKE_CAPITAL_PX = 21
"""Height of a capital letter of OpenCV's stroke font at scale 1."""
_REGULAR_STROKE, _BOLD_STROKE = 0.09, 0.125
"""Thickness of the stroke font's lines, in text sizes."""
_CAPITAL = 0.7
"""Height of a capital letter, in text sizes."""


class Lettering:
    """A font of one size; lines are cached, as the same words stand in every picture.

    Not for several threads at a time.

    Args:
        size_px: nominal text size; a capital letter is 0.7 of it high.
    """

    def __init__(self, size_px: float) -> None:
        self.size_px = size_px
        self.line_px = math.ceil(_LINE * size_px)
        """Height of every line's mask."""
        self.middle_px = round(_BASELINE * size_px) - round(_CAPITAL / 2 * size_px)
        """How far the middle of a capital letter lies below a line's top."""
        self._draw = _ScalableFont(size_px) if SCALABLE else _StrokeFont(size_px)
        self._line = lru_cache(maxsize=512)(self._draw.line)

    def line(self, text: str, bold: bool = False) -> Mask:
        """Return a line of text, [line_px, its width]; empty text is 0 wide. Don't write to it."""
        return self._line(" ".join(text.split()), bold)

    def width_px(self, text: str, bold: bool = False) -> int:
        """Return the width of a line."""
        return int(self.line(text, bold).shape[1])

    def shortened(self, text: str, width_px: int, bold: bool = False) -> str:
        """Return the text, cut at its end and marked with "..." where it is wider than allowed."""
        if self.width_px(text, bold) <= width_px:
            return text
        low, high = 0, len(text)  # the longest start that fits
        while low < high:
            middle = (low + high + 1) // 2
            if self.width_px(text[:middle].rstrip() + "...", bold) <= width_px:
                low = middle
            else:
                high = middle - 1
        return text[:low].rstrip() + "..." if low else ""


class _ScalableFont:
    """OpenCV 5's own sans serif font."""

    def __init__(self, size_px: float) -> None:
        self._face: Any = cv2.FontFace("sans")
        self._size_px = max(1, round(size_px))
        self._line_px = math.ceil(_LINE * size_px)
        self._foot_px = round(_BASELINE * size_px)

    def line(self, text: str, bold: bool) -> Mask:
        canvas = np.zeros((self._line_px, (len(text) + 2) * 2 * self._size_px), np.uint8)
        if not text:
            return canvas[:, :0]
        put_text: Any = cv2.putText  # OpenCV 4 declares another signature
        end, _ = put_text(
            canvas, text, (0, self._foot_px), (255, 255, 255), self._face, self._size_px,
            _BOLD if bold else _REGULAR,
        )  # fmt: skip
        inked = np.flatnonzero(canvas.any(axis=0))
        width = max(int(end[0]), int(inked[-1]) + 1 if inked.size else 0)
        return np.ascontiguousarray(canvas[:, :width])


class _StrokeFont:
    """OpenCV's stroke font, drawn large and averaged down."""

    def __init__(self, size_px: float) -> None:
        self._line_px = math.ceil(_LINE * size_px)
        self._large = size_px * _STROKE_SUPERSAMPLING
        # A stroke reaches half its thickness beyond its path, at the top and at the foot.
        self._scale = (_CAPITAL - _REGULAR_STROKE) * self._large / _STROKE_CAPITAL_PX

    def line(self, text: str, bold: bool) -> Mask:
        text, times = to_ascii(text), _STROKE_SUPERSAMPLING
        thickness = max(1, round(self._large * (_BOLD_STROKE if bold else _REGULAR_STROKE)))
        face = cv2.FONT_HERSHEY_SIMPLEX
        (width, _), _ = cv2.getTextSize(text, face, self._scale, thickness)
        columns = math.ceil((width + thickness) / times) if text else 0
        canvas = np.zeros((self._line_px * times, max(1, columns) * times), np.uint8)
        foot = thickness // 2, round(_BASELINE * self._large) - thickness // 2
        cv2.putText(canvas, text, foot, face, self._scale, 255, thickness, cv2.LINE_AA)
        small = cv2.resize(canvas, (max(1, columns), self._line_px), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8)[:, :columns]


def to_ascii(text: str) -> str:
    """Return the text with letters that ASCII lacks replaced: accents go, others become "?"."""
    plain = unicodedata.normalize("NFKD", text.translate(_SIMPLER))
    kept = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return kept.encode("ascii", "replace").decode()


_SIMPLER = str.maketrans({"ß": "ss", "æ": "ae", "ø": "o", "–": "-", "—": "-", "’": "'", "·": "-"})
