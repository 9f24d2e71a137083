"""How long a live source may be silent before it is taken for stalled."""

from __future__ import annotations

from collections import deque

_WINDOW = 64
_LEAST_FRAMES = 5
"""Fewer say nothing of the rate: a connection begins with a burst of what was buffered."""
_PERIODS = 5


class StallLimit:
    """Measures a source's rate, and says how long a gap between its pictures may be.

    The period is the span of the latest pictures over their number, not an average of gaps:
    cameras send pictures in bursts. Until it is known, the opening's time-out holds.

    Args:
        least_s: no silence shorter than this is a stall, seconds.
        unknown_s: the limit while the rate isn't known, seconds.
    """

    def __init__(self, least_s: float, unknown_s: float) -> None:
        self._least_s = least_s
        self._unknown_s = unknown_s
        self._arrivals_ns: deque[int] = deque(maxlen=_WINDOW)

    def begin(self) -> None:
        """Forget the rate: the source is opened anew."""
        self._arrivals_ns.clear()

    def add(self, arrived_ns: int) -> None:
        """Note that a picture has come, on the monotonic clock."""
        self._arrivals_ns.append(arrived_ns)

    @property
    def period_s(self) -> float | None:
        """Seconds from one picture to the next; None while it isn't known."""
        arrivals_ns = tuple(self._arrivals_ns)
        if len(arrivals_ns) < _LEAST_FRAMES:
            return None
        span_s = (arrivals_ns[-1] - arrivals_ns[0]) / 1e9
        return span_s / (len(arrivals_ns) - 1) if span_s >= self._least_s else None

    @property
    def seconds(self) -> float:
        """The longest silence that isn't a stall."""
        period_s = self.period_s
        if period_s is None:
            return max(self._least_s, self._unknown_s)
        return max(self._least_s, _PERIODS * period_s)
