"""The head-up display: how fast the stream is, how old the picture, what runs, what was lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtseg.stream.overlay.layout import Layout
from rtseg.stream.overlay.panel import FAINT_TEXT, TEXT, WARNING, Panel

REFRESH_S = 0.25
"""How often the rate and the age change, seconds of the source's time."""


@dataclass(frozen=True, slots=True)
class HudValues:
    """What the head-up display shows.

    Args:
        fps: pictures per second; 0 where it isn't known yet.
        age_ms: age of the last picture when it was shown, milliseconds.
        engine: the engine in one line.
        drops: frames left out so far.
        notice: what people must see now, such as "signal lost 3 s"; None: nothing.
    """

    fps: float
    age_ms: float
    engine: str
    drops: int
    notice: str | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with its unit.

    Args:
        value: the number as text.
        unit: what it counts.
        widest: the longest text that the value usually is; room is kept for it, so that what
            stands beside it keeps its place.
        alarming: shown in the colour of warnings.
    """

    value: str
    unit: str
    widest: str
    alarming: bool = False


class Hud:
    """A panel at the top left with rate, age, drops and engine; notices stand in one of their own.

    Rate and age change four times a second, so that they can be read.
    """

    def __init__(self) -> None:
        self._values: HudValues | None = None
        self._refreshed_s = 0.0
        self._panel: tuple[tuple[Layout, int, HudValues], Panel] | None = None
        self._notice: tuple[tuple[Layout, str], Panel] | None = None

    def draw(
        self,
        image_bgr: npt.NDArray[np.uint8],
        layout: Layout,
        values: HudValues,
        pts_s: float,
        room_px: int,
    ) -> int:
        """Draw the values into a picture, in place; return the row below which there is room.

        Args:
            image_bgr: uint8 [H, W, 3].
            layout: of that size.
            values: what to show.
            pts_s: the picture's time.
            room_px: how wide the panel may be; the engine's line is shortened to it.
        """
        shown = self._readable(values, pts_s)
        if self._panel is None or self._panel[0] != (layout, room_px, shown):
            self._panel = (layout, room_px, shown), _compose(layout, shown, room_px)
        panel = self._panel[1]
        panel.blend(image_bgr, layout.margin, layout.margin)
        return layout.margin + panel.height

    def draw_notice(
        self,
        image_bgr: npt.NDArray[np.uint8],
        layout: Layout,
        notice: str,
        top: int,
        right: int,
    ) -> None:
        """Draw a notice into the middle of a picture, in place.

        Args:
            image_bgr: uint8 [H, W, 3].
            layout: of that size.
            notice: one line.
            top: its upper edge's row.
            right: the column that it must not reach: where the legend begins.
        """
        if self._notice is None or self._notice[0] != (layout, notice):
            self._notice = (layout, notice), _compose_notice(layout, notice)
        panel = self._notice[1]
        middle = (layout.width - panel.width) // 2
        panel.blend(image_bgr, max(layout.margin, min(middle, right - panel.width)), top)

    def _readable(self, values: HudValues, pts_s: float) -> HudValues:
        """Return the values with the numbers of the last refresh, unless it is time for one."""
        old = self._values
        if old is None or abs(pts_s - self._refreshed_s) >= REFRESH_S:
            self._values, self._refreshed_s = values, pts_s
        elif (values.engine, values.drops) != (old.engine, old.drops):
            self._values = HudValues(old.fps, old.age_ms, values.engine, values.drops)
        return self._values or values


def figures(values: HudValues) -> tuple[Figure, ...]:
    """Return the numbers of the first line."""
    fps = f"{values.fps:.1f}" if values.fps < 99.95 else f"{values.fps:.0f}"
    age = f"{values.age_ms:.0f}" if values.age_ms < 9999.5 else f"{values.age_ms / 1000:.0f}k"
    return (
        Figure(fps if values.fps > 0 else "-", "fps", "88.8"),
        Figure(age, "ms", "888"),
        Figure(str(values.drops), "dropped", "8", alarming=values.drops > 0),
    )


def least_width_px(layout: Layout, values: HudValues) -> int:
    """Return how wide the panel is when the engine's line is shortened as far as need be."""
    widths = [_width(layout, cell) for cell in figures(values)]
    return sum(widths) + _gap(layout) * (len(widths) - 1) + 2 * layout.pad


def _compose(layout: Layout, values: HudValues, room_px: int) -> Panel:
    letters, pad = layout.letters, layout.pad
    numbers_px = least_width_px(layout, values)
    engine = letters.shortened(values.engine, max(room_px, numbers_px) - 2 * pad)
    width = max(numbers_px, letters.width_px(engine) + 2 * pad)
    panel = Panel(2 * pad + layout.pitch * (2 if engine else 1), width, layout.corner)
    top = pad + (layout.pitch - letters.line_px) // 2
    left = pad
    for cell in figures(values):
        _draw_figure(panel, layout, cell, left, top)
        left += _width(layout, cell) + _gap(layout)
    panel.draw(letters.line(engine), pad, top + layout.pitch, FAINT_TEXT)
    return panel


def _gap(layout: Layout) -> int:
    return round(0.9 * layout.letters.size_px)


def _width(layout: Layout, cell: Figure) -> int:
    letters = layout.letters
    value = max(letters.width_px(cell.widest, bold=True), letters.width_px(cell.value, bold=True))
    return value + _space(layout) + letters.width_px(cell.unit)


def _space(layout: Layout) -> int:
    return max(2, round(0.3 * layout.letters.size_px))


def _draw_figure(panel: Panel, layout: Layout, cell: Figure, left: int, top: int) -> None:
    """Draw the value, right-aligned in its room, and the unit after it."""
    letters = layout.letters
    value = letters.line(cell.value, bold=True)
    room = max(letters.width_px(cell.widest, bold=True), value.shape[1])
    colour = WARNING if cell.alarming else TEXT
    panel.draw(value, left + room - value.shape[1], top, colour)
    panel.draw(letters.line(cell.unit), left + room + _space(layout), top, FAINT_TEXT)


def _compose_notice(layout: Layout, notice: str) -> Panel:
    letters, pad = layout.letters, layout.pad
    room = layout.width - 2 * layout.margin - 4 * pad
    line = letters.line(letters.shortened(notice, room, bold=True), bold=True)
    panel = Panel(2 * pad + layout.pitch, line.shape[1] + 4 * pad, layout.corner)
    panel.draw(line, 2 * pad, pad + (layout.pitch - letters.line_px) // 2, WARNING)
    return panel
