"""Memory that is free again and that the C library still holds: given back to the system.

glibc keeps what its arenas have once needed, and every thread has one: a process that runs for
weeks climbs to the worst moment of each thread, on boards whose GPU needs the same memory.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable

EVERY_S = 60.0
"""A giving back takes some milliseconds, and so it is done once a minute."""


class SpareMemory:
    """What this process could give back, now and then. May be used from several threads.

    Where the C library has no ``malloc_trim`` (all but glibc), nothing is done.

    Args:
        every_s: seconds from one giving back to the next.
    """

    def __init__(self, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._trim = _malloc_trim()
        self._lock = threading.Lock()
        self._due_s = time.monotonic() + every_s

    def give_back(self) -> bool:
        """Give back what is free, if it is time to; return whether that was done."""
        if self._trim is None or time.monotonic() < self._due_s:
            return False
        if not self._lock.acquire(blocking=False):
            return False  # another thread is at it
        try:
            self._due_s = time.monotonic() + self._every_s
            self._trim(0)
        finally:
            self._lock.release()
        return True


def _malloc_trim() -> Callable[[int], int] | None:
    if sys.platform != "linux":
        return None
    trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim


SPARE_MEMORY = SpareMemory()
"""The process's one."""
