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
_LINE_PX, _GAP_PX = 34, 40
"""Height of a line, and space between two columns, at scale 1."""
_LARGEST, _SMALLEST = 0.8, 0.3
"""Scale of the letters in a picture of 720 lines, and in any."""


def with_note(image_bgr: Image, lines: Sequence[str], *, centred: bool = False) -> Image:
    """Return a copy of a picture with lines of text on a darkened box.

    The letters scale with the picture, and down so that the text fits into it.

    Args:
        image_bgr: the picture.
        lines: what to write; a tab parts two columns.
        centred: in the middle; else at the bottom left.
    """
    rows = [line.partition("\t") for line in lines]
    second_px = max((_width_px(head) + _GAP_PX for head, tab, _ in rows if tab), default=0)
    widths = [second_px + _width_px(tail) if tab else _width_px(head) for head, tab, tail in rows]
    text_wh = (max(widths), _LINE_PX * len(rows))
    height, width = image_bgr.shape[:2]
    fitting = min(height / 720 * _LARGEST, 0.9 * width / text_wh[0], 0.8 * height / text_wh[1])
    scale = max(fitting, _SMALLEST)
    picture = np.array(image_bgr, np.uint8)
    left, top = _dim_box(picture, text_wh, scale, centred=centred)
    for number, (head, _, tail) in enumerate(rows, start=1):
        baseline = top + round((number - 0.2) * _LINE_PX * scale)
        _put(picture, head, left, baseline, scale)
        _put(picture, tail, left + round(second_px * scale), baseline, scale)
    return picture


def _dim_box(
    picture: Image, text_wh: tuple[int, int], scale: float, *, centred: bool
) -> tuple[int, int]:
    """Darken the box behind a text in place; return the left and top of the text."""
    margin = round(_LINE_PX * scale / 2)
    box_w, box_h = (round(side * scale) + 2 * margin for side in text_wh)
    height, width = picture.shape[:2]
    left = max((width - box_w) // 2 if centred else margin, 0)
    top = max((height - box_h) // 2 if centred else height - box_h - margin, 0)
    box = picture[top : top + box_h, left : left + box_w]
    box[:] = cv2.convertScaleAbs(box, None, _DIM, 0)
    return left + margin, top + margin


def _put(picture: Image, text: str, x: int, baseline: int, scale: float) -> None:
    thickness = max(round(1.6 * scale), 1)
    cv2.putText(picture, text, (x, baseline), _FONT, scale, _TEXT_BGR, thickness, cv2.LINE_AA)


def _width_px(text: str) -> int:
    return int(cv2.getTextSize(text, _FONT, 1.0, 2)[0][0])
