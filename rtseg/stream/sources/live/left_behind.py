"""Connections whose threads hang in a driver or a read, and are left to come back by themselves."""

from __future__ import annotations

import time
from collections.abc import Callable

from rtseg.stream.sources.live.connection import Connection

MAX_CONNECTIONS = 3
"""With so many left behind, nothing is opened until one comes back: each holds a device or
socket."""
_LOOK_S = 0.1


class LeftBehind:
    """The connections that were given up and have not closed yet. Used by one thread."""

    def __init__(self) -> None:
        self._connections: list[Connection] = []

    def add(self, connection: Connection) -> None:
        """Take note of one."""
        self._connections.append(connection)

    @property
    def num(self) -> int:
        """How many there are at the moment."""
        self._connections = [one for one in self._connections if not one.over]
        return len(self._connections)

    def wait_for_room(self, stopped: Callable[[], bool]) -> bool:
        """Wait until another connection may be made; False when `stopped` came before."""
        while self.num >= MAX_CONNECTIONS and not stopped():
            time.sleep(_LOOK_S)
        return not stopped()
