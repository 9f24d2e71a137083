"""The legend: which colours stand for what, and how much of the picture each class covers."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from rtseg.classes import ClassSet
from rtseg.frames import Labels
from rtseg.stream.overlay.layout import Layout
from rtseg.stream.overlay.panel import FAINT_TEXT, RIM, TEXT, Panel, rounded_rectangle

SMOOTHING_S = 0.5
"""Time constant over which shares are averaged, seconds of the source's time."""
SAMPLED_S = 0.09
"""Class maps are counted when at least so much time has passed since the last."""
REFRESH_S = 0.5
"""How often the numbers change."""
APPEARS, DISAPPEARS = 0.002, 0.0005
"""A class comes into the legend above the one share and leaves it below the other."""
COUNTED_ROWS = 240
"""About so many rows of the class map are counted."""

Shares = npt.NDArray[np.float64]
Row = tuple[int, str]


class Legend:
    """Rows of colour, name and share, of the classes that are in the picture.

    Rows stand in the order of the class ids and numbers change twice a second, so that it can be
    read while the film runs.

    Args:
        classes: what the labels mean.
        coloured: ids of the classes that may appear.
        palette_bgr: uint8 [256, 3].
    """

    def __init__(
        self, classes: ClassSet, coloured: tuple[int, ...], palette_bgr: npt.NDArray[np.uint8]
    ) -> None:
        self._classes, self._coloured, self._palette = classes, coloured, palette_bgr
        self._shares: Shares | None = None
        self._present: frozenset[int] = frozenset()
        self._pts_s = self._refreshed_s = 0.0
        self._rows: tuple[Row, ...] = ()
        self._panel: tuple[tuple[Layout, int, tuple[Row, ...]], Panel] | None = None

    def update(self, labels: Labels, pts_s: float) -> None:
        """Take the next class map, uint8 [H, W], at its time; some are passed over."""
        if self._shares is not None and 0 <= pts_s - self._pts_s < SAMPLED_S:
            return
        current = class_shares(labels, len(self._classes))
        passed_s = pts_s - self._pts_s
        fresh = self._shares is None or passed_s < 0 or passed_s > 4 * SMOOTHING_S
        if self._shares is None or fresh:
            self._shares, self._present = current, frozenset()
        else:
            self._shares += (1 - math.exp(-passed_s / SMOOTHING_S)) * (current - self._shares)
        self._pts_s = pts_s
        if fresh or pts_s - self._refreshed_s >= REFRESH_S:
            self._refreshed_s = pts_s
            self._refresh(self._shares)

    def width_px(self, layout: Layout) -> int:
        """Return how wide the legend is in pictures of a size, whatever it shows."""
        return _Columns.of(layout, [self._classes.names[label] for label in self._coloured]).width

    def draw(self, image_bgr: npt.NDArray[np.uint8], layout: Layout, top: int) -> None:
        """Draw the legend at the right of a picture, in place; `top` is its upper edge's row.

        Where there is no room for two rows, it is left out.
        """
        height_px = layout.height - top - layout.margin
        if not self._rows or height_px < 2 * (layout.pad + layout.pitch):
            return
        key = layout, top, self._rows
        if self._panel is None or self._panel[0] != key:
            self._panel = key, self._compose(layout, height_px)
        panel = self._panel[1]
        panel.blend(image_bgr, layout.width - layout.margin - panel.width, top)

    def _refresh(self, shares: Shares) -> None:
        self._present = frozenset(
            label
            for label in self._coloured
            if shares[label] > (DISAPPEARS if label in self._present else APPEARS)
        )
        self._rows = tuple((label, percent(shares[label])) for label in sorted(self._present))

    def _compose(self, layout: Layout, height_px: int) -> Panel:
        letters, pad, pitch = layout.letters, layout.pad, layout.pitch
        columns = _Columns.of(layout, [self._classes.names[label] for label in self._coloured])
        rows, more = self._fitting((height_px - 2 * pad) // pitch)
        panel = Panel(2 * pad + pitch * (len(rows) + bool(more)), columns.width, layout.corner)
        text_top = pad + (pitch - letters.line_px) // 2
        for label, share in rows:
            swatch_top = text_top + letters.middle_px - columns.swatch // 2
            self._draw_swatch(panel, label, columns.swatch, pad, swatch_top)
            name = letters.shortened(self._classes.names[label], columns.name)
            panel.draw(letters.line(name), columns.name_left, text_top, TEXT)
            number = letters.line(share, bold=True)
            panel.draw(number, columns.width - pad - number.shape[1], text_top, TEXT)
            text_top += pitch
        if more:
            panel.draw(letters.line(f"{more} more"), columns.name_left, text_top, FAINT_TEXT)
        return panel

    def _draw_swatch(self, panel: Panel, label: int, size: int, left: int, top: int) -> None:
        """Draw a class's colour with a faint rim, which dark colours need on a dark panel."""
        corner, line = max(1, size // 4), max(1, round(size / 14))
        inner = size - 2 * line
        blue, green, red = (int(value) for value in self._palette[label])
        panel.draw(rounded_rectangle(size, size, corner), left, top, RIM)
        square = rounded_rectangle(inner, inner, max(1, corner - line))
        panel.draw(square, left + line, top + line, (blue, green, red))

    def _fitting(self, room: int) -> tuple[tuple[Row, ...], int]:
        """Return the rows of the largest classes that `room` holds, and how many are left out."""
        if len(self._rows) <= room or self._shares is None:
            return self._rows, 0
        shares = self._shares
        largest = sorted(self._rows, key=lambda row: -shares[row[0]])[: room - 1]
        return tuple(sorted(largest)), len(self._rows) - len(largest)


class _Columns(NamedTuple):
    """Widths in px of a legend's columns: swatch, name, share."""

    swatch: int
    name_left: int
    name: int
    width: int

    @classmethod
    def of(cls, layout: Layout, names: list[str]) -> _Columns:
        letters, pad = layout.letters, layout.pad
        swatch, gap = round(0.72 * letters.size_px), round(0.55 * letters.size_px)
        widest = max((letters.width_px(name) for name in names), default=0)
        most = round(max(4 * letters.size_px, 0.4 * layout.width))
        name, left = min(widest, most), pad + swatch + gap
        return cls(swatch, left, name, left + name + 2 * gap + letters.width_px("99 %", True) + pad)


def class_shares(labels: Labels, num_classes: int) -> Shares:
    """Return each class's share of all pixels, 0-1, [num_classes]; void counts as no class.

    Of large pictures, some of the rows are counted: a legend doesn't need all.
    """
    rows = labels[:: max(1, len(labels) // COUNTED_ROWS)]
    histogram = np.ravel(cv2.calcHist([rows], [0], None, [256], [0, 256]))
    return histogram[:num_classes].astype(np.float64) / rows.size


def percent(share: float) -> str:
    """Return a share as people read it."""
    return f"{100 * share:.0f} %" if share >= 0.0095 else "<1 %"
