"""The threads that do for the event loop what would hold it up, and what they take."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

_NICENESS = 10


class Workers(ThreadPoolExecutor):
    """Threads that give way to the stream's, and whose processor time is counted.

    What they do lies outside of Python's lock but for moments, so their low priority delays nobody
    who waits for that.

    Args:
        num_threads: how many at most.
        name: what theirs begin with.
    """

    def __init__(self, num_threads: int, name: str) -> None:
        super().__init__(num_threads, name, initializer=self._begin)
        self._clocks: list[int] = []

    @property
    def spent_s(self) -> float:
        """The processor time that they have taken, seconds; 0 where it isn't told.

        Don't ask after `shutdown`.
        """
        return sum(time.clock_gettime(clock) for clock in self._clocks)

    def _begin(self) -> None:
        if hasattr(time, "pthread_getcpuclockid"):
            self._clocks.append(time.pthread_getcpuclockid(threading.get_ident()))
        if hasattr(os, "setpriority"):  # on Linux a thread has a priority of its own
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
