"""The times of a film's frames, in the ticks of its clock."""

from __future__ import annotations

from fractions import Fraction

TICKS_PER_S = 90_000
"""Divides the usual frame rates, 30000/1001 included, and is finer than any camera's clock."""
TIME_BASE = Fraction(1, TICKS_PER_S)
DEFAULT_FPS = 25.0
"""Where a source doesn't know its rate."""


class FilmTimes:
    """Gives each picture its time and how long it lasts.

    Times are the source's, strictly increasing: where two pictures have the same time, the later
    one is moved by a tick. A picture lasts until the next one. The last lasts as long as one of
    the two before it, the shorter, so that a gap just before the end isn't counted twice; a single
    one lasts as long as the source's nominal rate says.

    Args:
        fps: nominal frames per second of the source, where it is known.
    """

    def __init__(self, fps: float | None) -> None:
        usable = fps if fps and fps > 0 else DEFAULT_FPS
        self.last: int | None = None
        self.duration = max(round(TICKS_PER_S / usable), 1)
        self._previous_delta: int | None = None

    def next(self, pts_s: float) -> int:
        """Return the time of the next picture in ticks; updates `last` and `duration`."""
        ticks = round(pts_s * TICKS_PER_S)
        if self.last is not None:
            ticks = max(ticks, self.last + 1)
            delta = ticks - self.last
            self.duration = min(delta, self._previous_delta or delta)
            self._previous_delta = delta
        self.last = ticks
        return ticks

    @property
    def end_s(self) -> float:
        """When the last picture ends, seconds on the source's clock; 0 before the first."""
        return 0.0 if self.last is None else (self.last + self.duration) / TICKS_PER_S
