"""Pictures for clients: the newest as a file, and all that follow as MJPEG."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING

from aiohttp import web

from rtseg.stream.sinks.browser.camera import Camera
from rtseg.stream.sinks.browser.connection import Connection
from rtseg.stream.sinks.browser.newest import Newest
from rtseg.stream.sinks.browser.shot import Jpeg, sent_width

if TYPE_CHECKING:
    from rtseg.stream.sinks.browser.server import BrowserServer

BOUNDARY = "rtseg-picture"
REPEAT_S = 5.0
"""Without a new picture the last one is sent again, so that dead clients are found."""
_NAME = re.compile(r"[^A-Za-z0-9.-]+")


class PictureRoutes:
    """Answers ``/stream.mjpg`` and ``/snapshot.jpg``."""

    def __init__(self, server: BrowserServer) -> None:
        self._server = server

    async def snapshot(self, request: web.Request) -> web.Response:
        """Return the newest picture as JPEG: in full, or at most ``width`` wide."""
        camera = asked_camera(self._server, request)
        if (shot := camera.shot) is None:
            raise web.HTTPServiceUnavailable(text="there is no picture yet")
        width = asked_width(request)
        size = None if width is None else sent_width(width, self._server.config.width)
        jpeg = await self._server.feeds.encode(camera, shot, size)
        headers = picture_headers(jpeg)
        if width is None:
            stem = _NAME.sub("-", camera.key or "picture").strip("-") or "picture"
            headers["Content-Disposition"] = f'inline; filename="{stem}-{shot.index:06d}.jpg"'
        return web.Response(body=jpeg.data, content_type="image/jpeg", headers=headers)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send pictures for as long as the client takes them."""
        server = self._server
        camera = asked_camera(server, request)
        if server.feeds.num_watchers >= server.config.max_clients:
            raise web.HTTPServiceUnavailable(
                text=f"{server.config.max_clients} clients are watching; no more are served"
            )
        width = sent_width(asked_width(request) or server.config.width, server.config.width)
        async with server.feeds.watch(camera, width) as pictures:
            response = web.StreamResponse()
            response.content_type = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
            response.force_close()
            connection = Connection.of(request)
            connection.keep_little()
            await response.prepare(request)
            await self._send_all(camera, pictures, response, connection)
        return response

    async def _send_all(
        self,
        camera: Camera,
        pictures: Newest[Jpeg],
        response: web.StreamResponse,
        connection: Connection,
    ) -> None:
        await response.write(f"--{BOUNDARY}\r\n".encode())
        number, jpeg = await pictures.after(0)
        while camera in self._server.cameras:
            try:
                await response.write(part(jpeg))
                await connection.flushed()
            except ConnectionError:
                return
            try:
                number, jpeg = await asyncio.wait_for(pictures.after(number), REPEAT_S)
            except asyncio.TimeoutError:
                continue


def part(jpeg: Jpeg) -> bytes:
    """Return one picture of an MJPEG stream.

    The boundary after it is sent along, as browsers show a picture when they have seen its end.
    """
    lines = {"Content-Type": "image/jpeg", "Content-Length": str(len(jpeg.data))}
    lines |= picture_headers(jpeg)
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return b"".join([head.encode(), b"\r\n", jpeg.data, f"\r\n--{BOUNDARY}\r\n".encode()])


def picture_headers(jpeg: Jpeg) -> dict[str, str]:
    """Return what a picture is: its number in the source, and its age as it is sent."""
    age_ms = (time.monotonic_ns() - jpeg.shot.captured_ns) / 1e6
    headers = {"X-Picture": str(jpeg.shot.index), "X-Age-Ms": f"{age_ms:.1f}"}
    return headers | ({"X-Again": "1"} if jpeg.shot.again else {})


def asked_camera(server: BrowserServer, request: web.Request) -> Camera:
    """Return the camera that a request names; without a name the first one.

    Raises:
        HTTPNotFound: there is no such camera.
    """
    camera = server.camera(request.query.get("camera"))
    if camera is None:
        keys = ", ".join(each.key or '""' for each in server.cameras)
        raise web.HTTPNotFound(text=f"there is no such camera; there are: {keys or 'none'}")
    return camera


def asked_width(request: web.Request) -> int | None:
    """Return the width that a request asks for.

    Raises:
        HTTPBadRequest: it is no width.
    """
    text = request.query.get("width")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and 1 <= len(text) <= 5 and int(text) > 0):
        raise web.HTTPBadRequest(text="width is a number of pixels")
    return int(text)
