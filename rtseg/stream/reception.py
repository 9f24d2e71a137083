"""Whether a source's pictures come, for those who show them."""

from __future__ import annotations

import threading
import time


class Reception:
    """The state of a source's signal. Every method may be called from any thread.

    A file always has a signal. A live source loses it when its pictures stop coming, and has it
    again with the next picture.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lost_ns: int | None = None
        self._reason = ""
        self._num_losses = self._num_attempts = 0

    @property
    def lost_s(self) -> float | None:
        """For how long there has been no signal, seconds; None while there is one."""
        lost_ns = self._lost_ns
        return None if lost_ns is None else (time.monotonic_ns() - lost_ns) / 1e9

    @property
    def reason(self) -> str:
        """Why the signal was lost last, or why it could not be had again; one line."""
        return self._reason

    @property
    def num_losses(self) -> int:
        """How many times the signal was lost."""
        return self._num_losses

    @property
    def num_attempts(self) -> int:
        """How many times the source was opened anew, with success or without."""
        return self._num_attempts

    def lose(self, reason: str) -> None:
        """Note that pictures come no more."""
        with self._lock:
            self._reason = reason
            if self._lost_ns is None:
                self._lost_ns = time.monotonic_ns()
                self._num_losses += 1

    def attempt(self, failure: str | None = None) -> None:
        """Count an attempt to open the source anew, and why it failed."""
        with self._lock:
            self._num_attempts += 1
            self._reason = failure or self._reason

    def find(self) -> float:
        """Note that pictures come again; return for how long there were none, seconds."""
        with self._lock:
            lost_ns, self._lost_ns = self._lost_ns, None
            return 0.0 if lost_ns is None else (time.monotonic_ns() - lost_ns) / 1e9

    def notice(self) -> str | None:
        """Return what a view shows while there is no signal, such as ``"signal lost 12 s"``."""
        lost_s = self.lost_s
        return None if lost_s is None else f"signal lost {_duration(lost_s)}"


def _duration(seconds: float) -> str:
    whole = int(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 6000:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
