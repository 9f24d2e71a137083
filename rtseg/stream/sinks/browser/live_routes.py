"""The page's figures, four times a second by WebSocket."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from rtseg.stream.sinks.browser.connection import WRITE_TIMEOUT_S, Connection

if TYPE_CHECKING:
    from rtseg.stream.sinks.browser.server import BrowserServer

HEARTBEAT_S = 15.0
_LARGEST_MESSAGE = 1024


class LiveRoutes:
    """Answers ``/api/live``."""

    def __init__(self, server: BrowserServer) -> None:
        self._server = server

    async def live(self, request: web.Request) -> web.WebSocketResponse:
        """Send what the cameras are, then states and events as long as the client takes them.

        A client that is slow misses states; what it says is ignored.
        """
        server = self._server
        if server.num_state_clients >= 2 * server.config.max_clients:
            raise web.HTTPServiceUnavailable(text="too many pages are open")
        socket = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S, max_msg_size=_LARGEST_MESSAGE, compress=False
        )
        connection = Connection.of(request)
        connection.keep_little()
        await socket.prepare(request)
        server.num_state_clients += 1
        sending = asyncio.get_running_loop().create_task(self._send_all(socket, connection))
        try:
            async for message in socket:
                if message.type is WSMsgType.ERROR:
                    break
        finally:
            server.num_state_clients -= 1
            sending.cancel()
        return socket

    async def _send_all(self, socket: web.WebSocketResponse, connection: Connection) -> None:
        told: tuple[object, ...] | None = None
        events = EventReader(self._server)
        number, state = 0, self._server.state()
        try:
            while not socket.closed:
                if told != self._server.cameras:
                    told = self._server.cameras
                    await self._send(socket, connection, self._server.hello())
                if news := events.news():
                    message = json.dumps({"type": "events", "events": news})
                    await self._send(socket, connection, message)
                await self._send(socket, connection, state)
                number, state = await self._server.states.after(number)
        except ConnectionError:
            connection.abort()

    async def _send(
        self, socket: web.WebSocketResponse, connection: Connection, message: str
    ) -> None:
        try:
            await asyncio.wait_for(socket.send_str(message), WRITE_TIMEOUT_S)
        except asyncio.TimeoutError:
            raise ConnectionResetError("the client takes nothing") from None
        await connection.flushed()


class EventReader:
    """Reads every camera's events once."""

    def __init__(self, server: BrowserServer) -> None:
        self._server = server
        self._seen: dict[object, int] = {}

    def news(self) -> list[dict[str, object]]:
        """Return the events since the last call."""
        found: list[dict[str, object]] = []
        for camera in self._server.cameras:
            events = self._server.events(self._seen.get(camera, 0), camera)
            if events:
                self._seen[camera] = int(str(events[-1]["number"]))
                found += events
        return sorted(found, key=lambda event: float(str(event["at_s"])))
