"""The slow work of a segmented recording, beside the thread that takes the pictures.

Waiting until a minute of film is on a memory card takes seconds, in which pictures of a live
source would be lost.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class Publisher:
    """One thread that closes, syncs and deletes files, in the order in which it is told.

    A disk that hangs can keep it for ever, but not the process from ending.

    Args:
        name: of the recording, for the thread's name.
    """

    def __init__(self, name: str) -> None:
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._tends = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"rtseg-publish:{name}", daemon=True)
        self._thread.start()

    def do(self, work: Callable[[], None]) -> None:
        """Have something done after all that came before; what goes wrong goes to the log."""
        self._work.put(work)

    def tend(self, work: Callable[[], None]) -> None:
        """Have something done, unless the last such work isn't done yet."""
        if self._tends.is_set():
            return
        self._tends.set()

        def then_again() -> None:
            try:
                work()
            finally:
                self._tends.clear()

        self.do(then_again)

    def close(self) -> None:
        """Finish all that is to be done; can be called twice."""
        self._work.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                work()
            except OSError as error:
                log.warning("recording: %s", error)
