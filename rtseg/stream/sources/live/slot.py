"""The one place between the thread that receives pictures and the one that reads them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")

_LOOK_S = 0.1


class Slot(Generic[Item]):
    """Holds the newest item until it is taken. Every method may be called from any thread.

    Args:
        newest: an item that nobody has taken is replaced by a newer one; else the newer one waits.
    """

    def __init__(self, newest: bool) -> None:
        self._newest = newest
        self._item: Item | None = None
        self._changed = threading.Condition()
        self._ended = False
        self._num_replaced = 0

    @property
    def ended(self) -> bool:
        """Whether nothing comes any more."""
        return self._ended

    def put(self, item: Item, given_up: Callable[[], bool]) -> None:
        """Put an item in, once there is room; `given_up` says that it is worth nothing any more."""
        with self._changed:
            while not self._newest and self._item is not None and not self._ended:
                if given_up():
                    return
                self._changed.wait(_LOOK_S)
            self._num_replaced += self._item is not None
            self._item = None if self._ended else item
            self._changed.notify_all()

    def take(self, wait_s: float | None) -> Item | None:
        """Wait for an item and take it; None at the end, or when `wait_s` has gone by."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._ended, wait_s)
            item, self._item = self._item, None
            self._changed.notify_all()
            return item

    def end(self, *, now: bool) -> None:
        """Have every `take` return None: after the item that is there, or `now`."""
        with self._changed:
            self._ended = True
            if now:
                self._item = None
            self._changed.notify_all()

    def take_replaced(self) -> int:
        """Return how many items nobody took, since the last call."""
        with self._changed:
            replaced, self._num_replaced = self._num_replaced, 0
            return replaced
