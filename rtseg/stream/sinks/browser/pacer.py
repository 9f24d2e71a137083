"""How often clients are sent pictures, so that sending them takes a set share of the machine."""

from __future__ import annotations

import time

SLOWEST_FPS = 1.0
_MOST_UP, _MOST_DOWN = 1.25, 0.4
"""The rate changes by no more than these factors at a time."""


class Pacer:
    """Measures what the page's threads take, and sets one rate for all clients.

    Args:
        fps: the highest rate, pictures a second.
        share: of all cores, what the page may take, 0-1.
        num_cores: how many there are.
    """

    def __init__(self, fps: float, share: float, num_cores: int) -> None:
        self._largest, self._budget = fps, share * num_cores
        self._fps = fps
        self._last: tuple[float, float] | None = None
        self.load = 0.0
        """Processor seconds a second that the page took of late."""

    @property
    def fps(self) -> float:
        """The most pictures a second that a client is sent."""
        return self._fps

    @property
    def period_s(self) -> float:
        """The least time between two pictures of a client, seconds."""
        return 1.0 / self._fps

    def measure(self, spent_s: float, now_s: float | None = None) -> None:
        """Take the processor time that the page has used since its start; about once a second."""
        now_s = time.monotonic() if now_s is None else now_s
        last, self._last = self._last, (spent_s, now_s)
        if last is None or now_s <= last[1]:
            return
        self.load = (spent_s - last[0]) / (now_s - last[1])
        factor = self._budget / self.load if self.load > 0 else _MOST_UP
        wanted = self._fps * min(max(factor, _MOST_DOWN), _MOST_UP)
        self._fps = min(max(wanted, SLOWEST_FPS), self._largest)
