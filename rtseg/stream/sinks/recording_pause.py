"""A recording that can't go on at the moment: why, since when, and what it cost."""

from __future__ import annotations

import errno
import logging
import time

from rtseg.stream.events import Events

RETRY_S = 2.0
"""How long until it is tried again."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class RecordingPause:
    """Tells once when a recording stops taking pictures by itself, and once when it goes on.

    Args:
        name: the recording's.
        events: get ``recording`` with the state ``paused`` or ``resumed``.
    """

    def __init__(self, name: str, events: Events) -> None:
        self._name = name
        self._events = events
        self._reason = ""
        self._since_ns: int | None = None
        self._next_ns = 0
        self._num_here = 0
        self.num_pauses = self.num_left_out = 0

    @property
    def is_on(self) -> bool:
        """Whether the recording doesn't go on at the moment."""
        return self._since_ns is not None

    def begin(self, error: Exception) -> None:
        """Note that it can't go on, or still can't."""
        self._next_ns = time.monotonic_ns() + round(RETRY_S * 1e9)
        self._reason = str(error)
        if self._since_ns is None:
            self._since_ns = time.monotonic_ns()
            self.num_pauses += 1
            self._num_here = 0
            self._events.add(
                "recording",
                f"recording paused: {self._reason}; it goes on as soon as it can",
                level=logging.WARNING,
                state="paused",
                name=self._name,
            )

    def may_try(self) -> bool:
        """Return whether it is time to try again."""
        return self._since_ns is None or time.monotonic_ns() >= self._next_ns

    def leave_out(self) -> None:
        """Count a picture that isn't recorded."""
        self.num_left_out += 1
        self._num_here += 1

    def end(self) -> bool:
        """Note that it goes on; return whether it didn't before."""
        since_ns, self._since_ns = self._since_ns, None
        if since_ns is None:
            return False
        seconds = (time.monotonic_ns() - since_ns) / 1e9
        self._events.add(
            "recording",
            f"recording goes on after {seconds:.0f} s: {self._name}",
            state="resumed",
            name=self._name,
            seconds=round(seconds, 3),
            pictures=self._num_here,
        )
        return True

    def notice(self) -> str | None:
        """Return what a view shows meanwhile."""
        return None if self._since_ns is None else "not recording"

    def problem(self) -> str | None:
        """Return the line for people at the end; None where there was no pause."""
        if not self.num_pauses:
            return None
        times = "once" if self.num_pauses == 1 else f"{self.num_pauses} times"
        return (
            f"{self._name}: the recording paused {times} and lacks {self.num_left_out} pictures: "
            f"{self._reason}"
        )


def is_full(error: BaseException | None) -> bool:
    """Return whether the disk, or a quota, is what made an error."""
    while error is not None:
        if getattr(error, "errno", None) in FULL:
            return True
        error = error.__cause__
    return False
