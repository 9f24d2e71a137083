"""Putting the results of several workers back into the order of their items."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rtseg.stream.channel import Cancelled, Item


class Ordered:
    """Takes results from several threads in any order and hands them on in the order of places.

    A worker that is ahead waits until its result's place is less than `num_workers` places from the
    one that is due, so that one slow result can't let the others pile up. The worker whose result
    is due hands it on, with those that wait behind it, so that no thread of its own is needed. The
    result that is due never waits, therefore the others don't wait for ever.

    The lock guards the places alone: it isn't held while a result is handed on.

    Args:
        num_workers: how many threads put results; each calls `leave` once at its end.
        use: what is done with each result; called by one thread at a time.
        end: called once, when the last worker has left.
    """

    def __init__(
        self, num_workers: int, use: Callable[[Item], None], end: Callable[[], None]
    ) -> None:
        self._num_workers = self._num_at_work = num_workers
        self._use = use
        self._end = end
        self._waiting: dict[int, Item | None] = {}
        self._due = 0
        self._handing_on = False
        self._cancelled = False
        self._moved = threading.Condition(threading.Lock())

    def put(self, place: int, item: Item | None) -> None:
        """Give the result at a place; None takes up the place and isn't handed on.

        `hand_on` must follow. Apart from it, so that the worker can let go of its own result while
        it hands on others.

        Raises:
            Cancelled: `cancel` was called.
        """
        with self._moved:
            while place >= self._due + self._num_workers and not self._cancelled:
                self._moved.wait()
            if self._cancelled:
                raise Cancelled
            self._waiting[place] = item

    def hand_on(self) -> None:
        """Hand on every result whose turn it is, unless another worker is at it.

        Raises:
            Cancelled: `cancel` was called.
        """
        with self._moved:
            if self._handing_on:
                return  # that thread looks again after each
            self._handing_on = True
        while self._hand_on_due():
            pass

    def leave(self) -> None:
        """Note that one worker puts no more."""
        with self._moved:
            self._num_at_work -= 1
            is_last = self._num_at_work == 0
        if is_last:
            self._end()

    def cancel(self) -> None:
        """Throw away what waits and let every put raise Cancelled."""
        with self._moved:
            self._cancelled = True
            self._waiting.clear()
            self._moved.notify_all()

    def _hand_on_due(self) -> bool:
        """Hand on the result that is due; return False when it isn't there yet."""
        with self._moved:
            if self._cancelled:
                raise Cancelled
            if self._due not in self._waiting:
                self._handing_on = False
                return False
            item = self._waiting.pop(self._due)
        if item is not None:
            self._use(item)
        with self._moved:
            self._due += 1
            self._moved.notify_all()
        return True
