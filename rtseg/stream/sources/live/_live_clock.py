"""The times of a live source's pictures across the connections that bring them."""

from __future__ import annotations

_LEAST_STEP_S = 0.001


class LiveClock:
    """Puts the times of one connection after the other on one clock, which never goes back.

    Within a connection the source's own times count; between two of them the time that has gone
    by here, on the monotonic clock.
    """

    def __init__(self) -> None:
        self._shift_s: float | None = 0.0
        self._last: tuple[float, int] | None = None

    def begin(self) -> None:
        """Take note that the next picture is the first one of another connection."""
        self._shift_s = None

    def time_s(self, time_s: float, captured_ns: int) -> float:
        """Return the time of a picture, seconds from the first one of all."""
        if self._shift_s is None:
            now_s = self.now_s(captured_ns)
            self._shift_s = (0.0 if now_s is None else now_s) - time_s
        shifted_s = time_s + self._shift_s
        if self._last is not None:
            shifted_s = max(shifted_s, self._last[0] + _LEAST_STEP_S)
        self._last = shifted_s, captured_ns
        return shifted_s

    def shifted_s(self, time_s: float) -> float:
        """Return the time of something else of the same connection (sound), without going on."""
        return time_s + (self._shift_s or 0.0)

    def now_s(self, now_ns: int) -> float | None:
        """Return what this clock shows at a moment on the monotonic one; None before a picture."""
        if self._last is None:
            return None
        last_s, last_ns = self._last
        return last_s + max(now_ns - last_ns, 0) / 1e9
