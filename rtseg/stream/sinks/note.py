"""Short texts on a picture: the keys of a window, what a key has done."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from rtseg.frames import Image

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_TEXT_BGR = (255, 255, 255)
_DIM = 0.35
"""What is left of the picture's brightness behind a text."""


def with_note(image_bgr: Image, lines: Sequence[str], *, centred: bool = False) -> Image:
    """Return a copy of a picture with lines of text on a darkened box.

    The text scales with the picture, and down to its width. Columns are two spaces or more apart.

    Args:
        image_bgr: the picture.
        lines: what to write.
        centred: in the middle; else at the bottom left.
    """
    height, width = image_bgr.shape[:2]
    longest = max(_width_px(line, 1.0) for line in lines)
    scale = min(height / 720 * 0.8, 0.9 * width / longest, 0.9 * height / (34 * len(lines)))
    scale = max(scale, 0.3)
    line_px = round(34 * scale)
    box_h, box_w = line_px * len(lines) + line_px, round(longest * scale) + line_px
    left = (width - box_w) // 2 if centred else line_px // 2
    top = (height - box_h) // 2 if centred else height - box_h - line_px // 2
    left, top = max(left, 0), max(top, 0)
    picture = image_bgr.copy()
    box = picture[top : top + box_h, left : left + box_w]
    np.copyto(box, cv2.convertScaleAbs(box, None, _DIM, 0))
    thickness = max(round(1.6 * scale), 1)
    for number, line in enumerate(lines, start=1):
        baseline = top + number * line_px + line_px // 4
        for start, text in _columns(line):
            x = left + line_px // 2 + round(start * 17 * scale)
            cv2.putText(
                picture, text, (x, baseline), _FONT, scale, _TEXT_BGR, thickness, cv2.LINE_AA
            )
    return picture


def _columns(line: str) -> list[tuple[int, str]]:
    """Split ``"key      what"`` into texts and the character that each begins at."""
    head, gap, tail = line.partition("  ")
    tail = tail.lstrip()
    return [(0, head), (len(line) - len(tail), tail)] if gap else [(0, line)]


def _width_px(line: str, scale: float) -> int:
    return max(
        round(start * 17 * scale) + int(cv2.getTextSize(text, _FONT, scale, 1)[0][0])
        for start, text in _columns(line)
    )
