"""The live picture as film by WebRTC: smaller than pictures one by one, and each client's own.

It needs the package aiortc. Browsers for which it doesn't work (a tunnel, a firewall) take MJPEG.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from collections.abc import AsyncIterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from aiohttp import web
from av import VideoFrame

from rtseg.frames import Image
from rtseg.stream.sinks.browser.camera import Camera
from rtseg.stream.sinks.browser.data_routes import read_json
from rtseg.stream.sinks.browser.feed import paced_shots
from rtseg.stream.sinks.browser.shot import Shot, fitted, sent_width

if TYPE_CHECKING:
    from rtseg.stream.sinks.browser.server import BrowserServer

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 15.0
_TIME_BASE = Fraction(1, 90_000)
_OVER = ("failed", "closed", "disconnected")


class WebRtcRoutes:
    """Answers ``/api/webrtc``."""

    def __init__(self, server: BrowserServer) -> None:
        self._server = server
        self._peers: set[Any] = set()

    async def offer(self, request: web.Request) -> web.Response:
        """Return the answer to a browser's offer, and send film from then on."""
        body = await read_json(request)
        camera, width, sdp = self._read(body)
        if len(self._peers) >= self._server.config.max_webrtc:
            raise web.HTTPServiceUnavailable(text="no more film is sent; take /stream.mjpg")
        aiortc = await asyncio.to_thread(_import_aiortc)
        # no server is asked for addresses: those of this machine must do
        peer = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
        self._peers.add(peer)
        try:
            await peer.setRemoteDescription(aiortc.RTCSessionDescription(sdp, "offer"))
            self._send_film(aiortc, peer, camera, width)
            await peer.setLocalDescription(await peer.createAnswer())
        except Exception as error:  # what a stranger sent fails in many ways
            await self._end(peer)
            log.debug("a WebRTC offer can't be answered: %s", error)
            raise web.HTTPBadRequest(text="the offer can't be answered") from None
        asyncio.get_running_loop().call_later(CONNECT_TIMEOUT_S, self._give_up, peer)
        return web.json_response({"type": "answer", "sdp": peer.localDescription.sdp})

    async def close(self, application: web.Application | None = None) -> None:
        """End all."""
        ends = [self._end(peer) for peer in list(self._peers)]
        await asyncio.gather(*ends, return_exceptions=True)

    def _read(self, body: Any) -> tuple[Camera, int, str]:
        values = body if isinstance(body, dict) else {}
        key, width, sdp = values.get("camera"), values.get("width", 0), values.get("sdp")
        if not isinstance(sdp, str) or not isinstance(width, int) or not 0 <= width < 100_000:
            raise web.HTTPBadRequest(text="an offer has camera, width and sdp")
        camera = self._server.camera(key if isinstance(key, str) else None)
        if camera is None:
            raise web.HTTPNotFound(text="there is no such camera")
        largest = self._server.config.width
        return camera, sent_width(width or largest, largest), sdp

    def _send_film(self, aiortc: Any, peer: Any, camera: Camera, width: int) -> None:
        film = _make_film(aiortc, self._server, camera, width)
        peer.addTrack(film)
        for transceiver in peer.getTransceivers():
            codecs = aiortc.RTCRtpSender.getCapabilities("video").codecs
            # H.264 is sent with twice the bits of VP8, and telephones decode it in hardware
            transceiver.setCodecPreferences(sorted(codecs, key=lambda c: "H264" not in c.mimeType))

        @peer.on("connectionstatechange")  # type: ignore[untyped-decorator,unused-ignore]
        async def changed() -> None:
            if peer.connectionState in _OVER:
                film.stop()
                await self._end(peer)

    def _give_up(self, peer: Any) -> None:
        if peer in self._peers and peer.connectionState != "connected":
            asyncio.get_running_loop().create_task(self._end(peer))

    async def _end(self, peer: Any) -> None:
        self._peers.discard(peer)
        await peer.close()


class Film:
    """A camera's shots as frames of a film, with the times at which they are sent."""

    def __init__(self, server: BrowserServer, camera: Camera, width: int) -> None:
        self._server, self._camera, self._width = server, camera, width
        self._began_s = time.monotonic()
        self._frames = self._run()

    async def next(self) -> VideoFrame:
        """Return the next frame, when it is time for it."""
        return await anext(self._frames)

    async def _run(self) -> AsyncIterator[VideoFrame]:
        server, camera = self._server, self._camera
        with server.feeds.listen(camera) as event:
            async for shot in paced_shots(camera, event, server.pacer):
                frame = await asyncio.to_thread(_as_frame, shot, self._width)
                frame.pts = round((time.monotonic() - self._began_s) / _TIME_BASE)
                frame.time_base = _TIME_BASE
                yield frame


def _make_film(aiortc: Any, server: BrowserServer, camera: Camera, width: int) -> Any:
    """Return the track that aiortc sends."""

    class FilmTrack(aiortc.MediaStreamTrack):  # type: ignore[misc,name-defined,unused-ignore]
        kind = "video"

        def __init__(self) -> None:
            super().__init__()
            self._film = Film(server, camera, width)

        async def recv(self) -> VideoFrame:
            return await self._film.next()

    return FilmTrack()


def _as_frame(shot: Shot, width: int) -> VideoFrame:
    """Return a shot for an encoder: YUV 4:2:0, both sides even."""
    image = fitted(shot.image_bgr, width)
    height, width_px = (side // 2 * 2 for side in image.shape[:2])
    even: Image = np.ascontiguousarray(image[:height, :width_px])
    planes = cv2.cvtColor(even, cv2.COLOR_BGR2YUV_I420)
    return VideoFrame.from_ndarray(np.asarray(planes, np.uint8), format="yuv420p")


def _import_aiortc() -> Any:
    return importlib.import_module("aiortc")
