"""What programs and the page ask for besides pictures, and what they may change."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from rtseg.errors import RtsegError
from rtseg.stream.sinks.browser.control import act, read_request
from rtseg.stream.sinks.browser.guard import port_of
from rtseg.stream.sinks.browser.metrics import CONTENT_TYPE
from rtseg.stream.sinks.browser.picture_routes import asked_camera
from rtseg.stream.sinks.browser.state import describe, figures_of, health_of, state_of

if TYPE_CHECKING:
    from rtseg.stream.sinks.browser.server import BrowserServer

BODY_TIMEOUT_S = 10.0
_WRONG_TOKEN_S = 0.5
"""The answer to a wrong token waits so long, one at a time: guessing is slow."""
_COOKIE_S = 90 * 24 * 3600


class DataRoutes:
    """Answers state, events, health, metrics, controls and the token."""

    def __init__(self, server: BrowserServer) -> None:
        self._server = server
        self._guessing = asyncio.Lock()

    async def state(self, request: web.Request) -> web.Response:
        """Return all cameras with their figures."""
        cameras = [
            {**describe(camera), **state_of(camera), "figures": figures_of(camera)}
            for camera in self._server.cameras
        ]
        return web.json_response({**json.loads(self._server.state()), "cameras": cameras})

    async def events(self, request: web.Request) -> web.Response:
        """Return the latest events; of one camera, after a number, if so asked."""
        camera = asked_camera(self._server, request) if "camera" in request.query else None
        since = request.query.get("since", "0")
        if not (since.isascii() and since.isdecimal() and len(since) < 16):
            raise web.HTTPBadRequest(text="since is the number of an event")
        return web.json_response({"events": self._server.events(int(since), camera)})

    async def health(self, request: web.Request) -> web.Response:
        """Return 200 while every camera's pictures come, else 503; more only with the token."""
        cameras = [health_of(camera) for camera in self._server.cameras]
        ok = bool(cameras) and all(camera["ok"] for camera in cameras)
        told: dict[str, Any] = {"ok": ok}
        if self._server.guard.knows_token(request):
            told["cameras"] = cameras
        return web.json_response(told, status=200 if ok else 503)

    async def metrics(self, request: web.Request) -> web.Response:
        """Return the figures for Prometheus."""
        return web.Response(
            body=self._server.metrics.text(), headers={"Content-Type": CONTENT_TYPE}
        )

    async def control(self, request: web.Request) -> web.Response:
        """Do what the body asks, and return the state after it."""
        body = await read_json(request)
        try:
            asked = read_request(body)
            if asked.camera is None and len(self._server.cameras) > 1:
                raise web.HTTPBadRequest(text='name a camera, or "*" for all')
            cameras = self._server.cameras
            if asked.camera not in (None, "*"):
                cameras = tuple(each for each in cameras if each.key == asked.camera)
            if not cameras:
                raise web.HTTPNotFound(text="there is no such camera")
            act([camera.info for camera in cameras], asked)
        except RtsegError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        return web.json_response({"cameras": [state_of(camera) for camera in cameras]})

    async def login(self, request: web.Request) -> web.Response:
        """Give a cookie for the right token."""
        body = await read_json(request)
        token = body.get("token") if isinstance(body, dict) else None
        guard = self._server.guard
        if not isinstance(token, str) or not guard.is_token(token):
            guard.count("token")
            async with self._guessing:
                await asyncio.sleep(_WRONG_TOKEN_S)
            raise web.HTTPUnauthorized(text="the token is wrong")
        response = web.json_response({"ok": True})
        if guard.needs_token:
            name, value = guard.session(port_of(request))
            is_https = request.headers.get("Origin", "").startswith("https://")
            response.set_cookie(
                name,
                value,
                max_age=_COOKIE_S,
                httponly=True,
                samesite="Strict",
                secure=is_https,
            )
        return response


async def read_json(request: web.Request) -> Any:
    """Return the JSON of a request's body.

    Raises:
        HTTPException: 415, 413, 408 or 400.
    """
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="a control is application/json")
    try:
        body = await asyncio.wait_for(request.read(), BODY_TIMEOUT_S)
        return json.loads(body)
    except asyncio.TimeoutError:
        raise web.HTTPRequestTimeout(text="the body came too slowly") from None
    except (ValueError, RecursionError):
        raise web.HTTPBadRequest(text="the body is no JSON") from None
