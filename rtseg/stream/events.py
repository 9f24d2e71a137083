"""What happens to a stream besides pictures: a lost signal, a closed segment, a new size."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger(__name__)

MAX_EVENTS = 256
"""So many of the latest are kept for who asks later; a listener gets every one."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Args:
        number: counts the events of a stream, from 1.
        kind: one word for programs, such as ``"lost"``.
        text: one line for people, without credentials.
        at_s: when, seconds since 1970 (the wall clock).
        at_ns: when, on the monotonic clock.
        values: figures that belong to it, as JSON can hold them.
    """

    number: int
    kind: str
    text: str
    at_s: float
    at_ns: int
    values: Mapping[str, Any] = field(default_factory=dict)


class Events:
    """The events of one stream, the latest kept. Every method may be called from any thread.

    A listener is called in the thread in which something happens, so it only takes note.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._num = 0
        self._listeners: list[Callable[[Event], None]] = []

    def add(self, kind: str, text: str, *, level: int = logging.INFO, **values: Any) -> Event:
        """Note an event, write it to the log, and tell the listeners."""
        with self._lock:
            self._num += 1
            event = Event(self._num, kind, text, time.time(), time.monotonic_ns(), values)
            self._events.append(event)
            listeners = list(self._listeners)
        log.log(level, "%s", text, extra={"event": kind, "values": values})
        for listener in listeners:
            listener(event)
        return event

    def since(self, number: int = 0) -> list[Event]:
        """Return the events after the one of that number, oldest first, as far as they are kept."""
        with self._lock:
            return [event for event in self._events if event.number > number]

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call `listener` with every event from now on, until what is returned is called."""
        with self._lock:
            self._listeners.append(listener)

        def leave() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return leave
