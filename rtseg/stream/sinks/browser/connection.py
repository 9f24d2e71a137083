"""One connection of a client: what is late is cut off, and what isn't taken isn't piled up.

It stands between the socket and the HTTP server's own protocol, as that waits for ever for the
rest of a request that was begun.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

from aiohttp import web

REQUEST_TIMEOUT_S = 10.0
"""In so much time a request must have come, be the connection new or kept."""
WRITE_TIMEOUT_S = 10.0
"""A client that takes nothing for so long is gone."""
SEND_BUFFER_BYTES = 128 * 1024
"""What the system holds for a client that watches: more would be pictures that grow old."""
UNSENT_BYTES = 16 * 1024
"""What of it waits to be sent at all, where the system can be told."""


class Connections:
    """All that are open.

    Args:
        largest: so many at the same time; further ones are closed at once.
    """

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._open: set[Connection] = set()
        self.num_refused = 0

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Connection) -> bool:
        """Take a new one; False: there are too many."""
        if len(self._open) >= self._largest:
            self.num_refused += 1
            return False
        self._open.add(connection)
        return True

    def remove(self, connection: Connection) -> None:
        """Forget one that is closed."""
        self._open.discard(connection)

    def abort(self) -> None:
        """Close all at once, whatever was to be sent."""
        for connection in list(self._open):
            connection.abort()


class Connection(asyncio.Protocol):
    """Hands on what happens to the server's own protocol, and keeps the time.

    Args:
        inner: the server's own protocol.
        connections: where it is counted.
    """

    def __init__(self, inner: asyncio.Protocol, connections: Connections) -> None:
        self._inner, self._connections = inner, connections
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._flushed = asyncio.Event()
        self._flushed.set()

    @classmethod
    def of(cls, request: web.Request) -> Connection:
        """Return the connection of a request.

        Raises:
            ConnectionResetError: it is closed already.
        """
        transport = request.transport
        found = transport.get_protocol() if transport is not None else None
        if not isinstance(found, Connection):
            raise ConnectionResetError("the client is gone")
        return found

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first request."""
        self._transport = cast(asyncio.Transport, transport)
        if not self._connections.add(self):
            self._inner = asyncio.Protocol()
            self._transport.abort()
            return
        self._inner.connection_made(transport)
        self.expect_request()

    def data_received(self, data: bytes) -> None:
        """Hand on."""
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Hand on."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """Note that the client takes less than it is sent."""
        self._flushed.clear()
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Note that the client has taken what it was sent."""
        self._flushed.set()
        self._inner.resume_writing()

    def connection_lost(self, error: BaseException | None) -> None:
        """Hand on, and wait for nothing more."""
        self.has_request()
        self._flushed.set()
        self._connections.remove(self)
        self._inner.connection_lost(cast(Any, error))

    def expect_request(self) -> None:
        """Close the connection unless a whole head of a request comes in time."""
        self.has_request()
        if self._transport is not None and not self._transport.is_closing():
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(REQUEST_TIMEOUT_S, self.abort)

    def has_request(self) -> None:
        """Stop the clock: a request has come."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def keep_little(self) -> None:
        """Hold as little as can be for a client that watches: the newest picture is to come next.

        From here on `flushed` waits until the client's system, or this one's buffer, has all.
        """
        if self._transport is None:
            return
        self._transport.set_write_buffer_limits(high=0)
        own = self._transport.get_extra_info("socket")
        if own is not None:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            if hasattr(socket, "TCP_NOTSENT_LOWAT"):
                own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    async def flushed(self) -> None:
        """Wait until all is sent.

        Raises:
            ConnectionResetError: the client takes nothing, or is gone.
        """
        try:
            await asyncio.wait_for(self._flushed.wait(), WRITE_TIMEOUT_S)
        except asyncio.TimeoutError:
            self.abort()
            raise ConnectionResetError("the client takes nothing") from None
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("the client is gone")
