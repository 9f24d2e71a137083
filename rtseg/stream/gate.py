"""The start: no frame is read before every part of the pipeline is ready for it."""

from __future__ import annotations

import threading

from rtseg.stream.channel import Cancelled


class Gate:
    """Opens when as many threads have arrived as were expected.

    Args:
        num_expected: how many threads call `arrive`; 0 opens it at once.
    """

    def __init__(self, num_expected: int) -> None:
        self._num_missing = num_expected
        self._cancelled = False
        # re-entrant, as `Controls` is: a signal's handler may stop the stream at any moment
        self._changed = threading.Condition(threading.RLock())

    def expect_one_more(self) -> None:
        """Expect another thread besides."""
        with self._changed:
            self._num_missing += 1

    def check(self) -> None:
        """Raise Cancelled after `cancel`."""
        with self._changed:
            self._raise_if_cancelled()

    def arrive(self) -> None:
        """Note that one more is ready; doesn't wait for the others.

        Raises:
            Cancelled: `cancel` was called.
        """
        with self._changed:
            self._raise_if_cancelled()
            self._num_missing -= 1
            self._changed.notify_all()

    def wait(self) -> None:
        """Wait until it opens.

        Raises:
            Cancelled: `cancel` was called.
        """
        with self._changed:
            while self._num_missing > 0 and not self._cancelled:
                self._changed.wait()
            self._raise_if_cancelled()

    def open(self) -> None:
        """Wait for no more."""
        with self._changed:
            self._num_missing = 0
            self._changed.notify_all()

    def cancel(self) -> None:
        """Let `arrive` and `wait` raise Cancelled, now and for good."""
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()

    def _raise_if_cancelled(self) -> None:
        if self._cancelled:
            raise Cancelled
