"""The bounded hand-over between two threads of a stream.

All of a channel's state is guarded by one lock, and no other lock is taken while it is held. A
thread waits in two places alone:

    put     while it is full       until a take, `leave` or `cancel`
    take    while it is empty      until a put, `end` or `cancel`

`cancel` wakes everybody for good, so a pipeline that cancels all its channels has no waiter left.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Policy = Literal["auto", "block", "drop_oldest"]
"""What happens when a stage is slower than the one before it. ``"block"``: that one waits, and
every frame is worked on. ``"drop_oldest"``: the oldest waiting frame is left out and counted.
``"auto"``: drop_oldest for live sources, block for all others."""


class Cancelled(Exception):
    """The pipeline is ending: nobody waits for this hand-over any more."""


@dataclass(frozen=True, slots=True)
class Item:
    """What travels in a channel: a value, and the frame that it came from.

    Args:
        index: the frame's index.
        captured_ns: the frame's time of capture, monotonic clock.
        value: what the stage before has made of the frame.
    """

    index: int
    captured_ns: int
    value: Any


class Channel:
    """A queue of at most `depth` items, from one putting thread at a time to any number of takers.

    Items leave in the order in which they came.

    Args:
        depth: how many items wait at most; every one makes the pictures older.
        on_drop: called for every item that is left out; without it `put` waits for room.
    """

    def __init__(self, depth: int, on_drop: Callable[[], None] | None = None) -> None:
        self.depth = depth
        self._on_drop = on_drop
        self._items: deque[Item] = deque()
        self._num_taken = 0
        self._ended = self._left = self._cancelled = False
        lock = threading.Lock()
        self._room = threading.Condition(lock)
        self._filled = threading.Condition(lock)

    def put(self, item: Item) -> None:
        """Add an item; when the channel is full, wait for room or leave out the oldest.

        Raises:
            Cancelled: the channel was cancelled, or ended by somebody else.
        """
        drop = self._on_drop is not None
        with self._room:
            while len(self._items) >= self.depth and not drop and not self._is_shut():
                self._room.wait()
            if self._ended or self._cancelled:
                raise Cancelled
            if self._left:
                return
            num_dropped = len(self._items) + 1 - self.depth
            if num_dropped > 0:
                self._items.popleft()
            self._items.append(item)
            self._filled.notify()
        if num_dropped > 0 and self._on_drop is not None:
            self._on_drop()

    def take(self) -> tuple[int, Item] | None:
        """Wait for the next item; return it with its place in the order of takes, from 0.

        Returns:
            None when the channel was ended and is empty.

        Raises:
            Cancelled: the channel was cancelled.
        """
        with self._filled:
            while not self._items and not self._is_shut():
                self._filled.wait()
            if self._cancelled:
                raise Cancelled
            if not self._items:
                return None
            place = self._num_taken
            self._num_taken += 1
            self._room.notify()
            return place, self._items.popleft()

    def wait(self, timeout_s: float | None) -> bool:
        """Wait until `take` won't; return False when `timeout_s` went by instead.

        It says nothing where other threads take too.
        """
        with self._filled:
            return self._filled.wait_for(lambda: bool(self._items) or self._is_shut(), timeout_s)

    def end(self) -> None:
        """Let no more items in; those that wait are still taken."""
        with self._room:
            self._ended = True
            self._wake_all()

    def leave(self) -> None:
        """Throw away what waits and what will be put: the taker has gone, the others go on."""
        with self._room:
            self._left = True
            self._items.clear()
            self._wake_all()

    def cancel(self) -> None:
        """Throw away what waits and let every put and take raise Cancelled, now and for good."""
        with self._room:
            self._cancelled = True
            self._items.clear()
            self._wake_all()

    def _is_shut(self) -> bool:
        return self._ended or self._left or self._cancelled

    def _wake_all(self) -> None:
        self._room.notify_all()
        self._filled.notify_all()
