"""Pictures for people: class colours, overlays, legends, sheets and comparisons.

All are uint8 BGR [H, W, 3]. Text grows with the picture it stands in. OpenCV's fonts know ASCII
alone: other letters lose their accents or become "?".
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from rtseg.classes import VOID, ClassSet
from rtseg.errors import DataError

UInt8 = npt.NDArray[np.uint8]
Bgr = tuple[int, int, int]

BACKGROUND: Bgr = (32, 30, 28)
TEXT: Bgr = (235, 235, 235)
FAINT_TEXT: Bgr = (160, 158, 155)
OUTLINE: Bgr = (110, 108, 105)
WRONG: Bgr = (40, 40, 225)
RIGHT: Bgr = (92, 122, 92)

_FONT = cv2.FONT_HERSHEY_SIMPLEX


def colourise(labels: UInt8, classes: ClassSet) -> UInt8:
    """Return uint8 labels [H, W] in their classes' colours; void is black."""
    return classes.palette_bgr()[labels]


def overlay_labels(image_bgr: UInt8, labels: UInt8, classes: ClassSet, alpha: float = 0.5) -> UInt8:
    """Return the picture with the class colours mixed in; void pixels stay as they are.

    Args:
        image_bgr: the picture.
        labels: its labels, uint8 [H, W].
        classes: names and colours.
        alpha: the colours' share, 0–1.

    Raises:
        DataError: labels and picture have different sizes.
    """
    _same_size(image_bgr, labels)
    mixed = cv2.addWeighted(image_bgr, 1 - alpha, colourise(labels, classes), alpha, 0)
    return np.where((labels == VOID)[..., None], image_bgr, mixed).astype(np.uint8)


def comparison(image_bgr: UInt8, truth: UInt8, prediction: UInt8, classes: ClassSet) -> UInt8:
    """Return picture | truth | prediction | errors, side by side.

    In the errors, wrong pixels are red, right ones grey-green and those without truth black.

    Raises:
        DataError: the sizes differ.
    """
    _same_size(image_bgr, truth)
    _same_size(image_bgr, prediction)
    errors: UInt8 = np.empty_like(image_bgr)
    errors[:] = WRONG
    errors[truth == prediction] = RIGHT
    errors[truth == VOID] = 0
    gap: UInt8 = np.empty((len(truth), max(2, len(truth) // 90), 3), np.uint8)
    gap[:] = BACKGROUND
    coloured = [colourise(labels, classes) for labels in (truth, prediction)]
    return np.hstack([image_bgr, gap, coloured[0], gap, coloured[1], gap, errors])


def legend(classes: ClassSet, shares: Sequence[float] | None, height_px: int) -> UInt8:
    """Return a list of the classes with their colours, `height_px` high and as wide as it needs.

    Args:
        classes: names and colours.
        shares: each class's share of the labelled pixels, 0–1, shown in percent; or None.
        height_px: the height; with many classes they stand in several columns.
    """
    rows = min(len(classes), max(1, height_px // max(14, height_px // 24)))
    rows = math.ceil(len(classes) / math.ceil(len(classes) / rows))  # columns of one length
    pitch = height_px / (rows + 0.5)
    text_px = min(0.5 * pitch, height_px / 24)
    columns = [
        _legend_column(classes, shares, range(start, min(start + rows, len(classes))), height_px,
                       pitch, text_px)
        for start in range(0, len(classes), rows)
    ]  # fmt: skip
    return np.hstack(columns)


def contact_sheet(
    images: Sequence[UInt8],
    captions: Sequence[str],
    columns: int,
    cell_wh: tuple[int, int],
) -> UInt8:
    """Return pictures in rows, each fitted into a cell without being stretched, with its caption.

    Args:
        images: one or more, of any sizes.
        captions: one line for each picture; what doesn't fit below it is cut in the middle.
        columns: pictures per row.
        cell_wh: width and height of a picture's cell in px; the caption comes below it.

    Raises:
        DataError: there is no picture or not one caption for each.
    """
    if not images or len(images) != len(captions):
        raise DataError(
            f"a sheet needs pictures and one caption each; got {len(images)} and {len(captions)}"
        )
    width, height = cell_wh
    gap = max(4, min(cell_wh) // 40)
    text_px = max(9.0, min(min(cell_wh) / 22, width / 24))
    band = round(2.2 * text_px)
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    step_x, step_y = width + gap, height + band + gap
    sheet = np.full((rows * step_y + gap, columns * step_x + gap, 3), BACKGROUND, np.uint8)
    for index, (image, caption) in enumerate(zip(images, captions, strict=True)):
        left, top = gap + index % columns * step_x, gap + index // columns * step_y
        fitted = _fit(image, cell_wh)
        high, wide = fitted.shape[:2]
        x, y = left + (width - wide) // 2, top + (height - high) // 2
        sheet[y : y + high, x : x + wide] = fitted
        line = _shortened(caption, width, text_px)
        draw_text(sheet, line, (left, top + height + band // 2), text_px, FAINT_TEXT)
    return sheet


def headed(image_bgr: UInt8, title: str) -> UInt8:
    """Return the picture with a line of text above it."""
    text_px = max(10.0, image_bgr.shape[1] / 90)
    band: UInt8 = np.empty((round(3 * text_px), image_bgr.shape[1], 3), np.uint8)
    band[:] = BACKGROUND
    left = round(text_px)
    line = _shortened(title, image_bgr.shape[1] - 2 * left, text_px)
    draw_text(band, line, (left, len(band) // 2), text_px, TEXT)
    return np.vstack([band, image_bgr])


def draw_text(
    canvas: UInt8, text: str, left_middle_xy: tuple[int, int], text_px: float, colour: Bgr
) -> None:
    """Draw one line of text into the picture, in place.

    Args:
        canvas: the picture.
        text: the line.
        left_middle_xy: where it begins, and the middle of its capital letters.
        text_px: the height of its capital letters.
        colour: blue, green, red.
    """
    left, middle = left_middle_xy
    cv2.putText(
        canvas, _ascii(text), (left, round(middle + text_px / 2)), _FONT, _scale(text_px), colour,
        _thickness(text_px), cv2.LINE_AA,
    )  # fmt: skip


def text_width(text: str, text_px: float) -> int:
    """Return how many pixels wide `draw_text` draws the line."""
    (width, _), _ = cv2.getTextSize(_ascii(text), _FONT, _scale(text_px), _thickness(text_px))
    return int(width)


def _legend_column(
    classes: ClassSet,
    shares: Sequence[float] | None,
    ids: range,
    height_px: int,
    pitch: float,
    text_px: float,
) -> UInt8:
    palette = classes.palette_bgr()
    amounts = [f"{100 * shares[index]:.2f} %" if shares is not None else "" for index in ids]
    swatch, gap = round(1.5 * text_px), round(text_px)
    name_width = max(text_width(classes.names[index], text_px) for index in ids)
    amount_width = max(text_width(amount, text_px) for amount in amounts)
    start = gap + 2 * swatch + gap
    amount_right = start + name_width + (gap + amount_width if shares is not None else 0)
    column = np.full((height_px, amount_right + gap, 3), BACKGROUND, np.uint8)
    for row, (index, amount) in enumerate(zip(ids, amounts, strict=True)):
        middle = round(pitch * (row + 0.75))
        top = middle - swatch // 2
        corners = (gap, top), (gap + 2 * swatch - 1, top + swatch - 1)
        cv2.rectangle(column, *corners, palette[index].tolist(), cv2.FILLED)
        cv2.rectangle(column, *corners, OUTLINE, 1)  # dark colours would melt into the background
        draw_text(column, classes.names[index], (start, middle), text_px, TEXT)
        left = amount_right - text_width(amount, text_px)
        draw_text(column, amount, (left, middle), text_px, FAINT_TEXT)
    return column


def _fit(image: UInt8, cell_wh: tuple[int, int]) -> UInt8:
    height, width = image.shape[:2]
    scale = min(cell_wh[0] / width, cell_wh[1] / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)


def _shortened(text: str, width_px: int, text_px: float) -> str:
    """Return the text, without its middle where it is wider than `width_px`."""
    shown = _ascii(text)
    kept = len(shown)
    while kept > 4 and text_width(shown, text_px) > width_px:
        kept -= 1
        shown = (
            f"{_ascii(text)[: (kept + 1) // 2]}..{_ascii(text)[len(_ascii(text)) - kept // 2 :]}"
        )
    return shown


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).replace("–", "-").replace("…", "...")
    bare = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return bare.encode("ascii", "replace").decode("ascii")


def _scale(text_px: float) -> float:
    (_, height), _ = cv2.getTextSize("H", _FONT, 10.0, 1)  # fonts differ from version to version
    return 10.0 * text_px / height


def _thickness(text_px: float) -> int:
    return max(1, round(text_px / 12))


def _same_size(image_bgr: UInt8, labels: UInt8) -> None:
    if image_bgr.shape[:2] != labels.shape:
        raise DataError(
            f"the picture is {image_bgr.shape[1]}x{image_bgr.shape[0]} but its labels are "
            f"{labels.shape[1]}x{labels.shape[0]} (width x height); both must have one size"
        )
