"""Which request is answered by what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from rtseg.stream.sinks.browser.data_routes import DataRoutes
from rtseg.stream.sinks.browser.live_routes import LiveRoutes
from rtseg.stream.sinks.browser.page_files import page_files
from rtseg.stream.sinks.browser.picture_routes import PictureRoutes
from rtseg.stream.sinks.browser.recording_routes import RecordingRoutes
from rtseg.stream.sinks.browser.webrtc_routes import WebRtcRoutes

if TYPE_CHECKING:
    from rtseg.stream.sinks.browser.server import BrowserServer


def add_routes(application: web.Application, server: BrowserServer) -> None:
    """Add all; what isn't listed here is not found."""
    router = application.router
    for path, answer in page_files().items():
        router.add_get(path, answer)
    pictures = PictureRoutes(server)
    router.add_get("/stream.mjpg", pictures.stream, allow_head=False)
    router.add_get("/snapshot.jpg", pictures.snapshot)
    router.add_get("/api/live", LiveRoutes(server).live, allow_head=False)
    data = DataRoutes(server)
    router.add_get("/api/state", data.state)
    router.add_get("/api/events", data.events)
    router.add_get("/healthz", data.health)
    router.add_get("/metrics", data.metrics)
    router.add_post("/api/control", data.control)
    router.add_post("/api/login", data.login)
    if server.has_webrtc:
        webrtc = WebRtcRoutes(server)
        router.add_post("/api/webrtc", webrtc.offer)
        application.on_shutdown.append(webrtc.close)
    recordings = RecordingRoutes(server)
    router.add_get("/api/recordings", recordings.films)
    router.add_get("/recordings/{name}", recordings.film)
