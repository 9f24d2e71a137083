"""The page's server: one for an address and a process, in a thread of its own.

The streams' threads hand it their newest pictures and never wait for it. In its thread an event
loop serves the clients; pictures are encoded in a second thread.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import secrets
import threading
import time
from collections.abc import Iterable, Sequence
from importlib.util import find_spec

from aiohttp import web

from rtseg.cores import usable_cores
from rtseg.errors import SinkError
from rtseg.stream.sinks.browser.address import Address, own_address
from rtseg.stream.sinks.browser.camera import Camera
from rtseg.stream.sinks.browser.connection import Connection, Connections
from rtseg.stream.sinks.browser.feed import Feeds
from rtseg.stream.sinks.browser.guard import Guard, add_headers
from rtseg.stream.sinks.browser.metrics import Metrics
from rtseg.stream.sinks.browser.newest import Newest
from rtseg.stream.sinks.browser.pacer import Pacer
from rtseg.stream.sinks.browser.page_files import PAGE_FILES
from rtseg.stream.sinks.browser.settings import BrowserConfig, token_of
from rtseg.stream.sinks.browser.shot import JpegPress
from rtseg.stream.sinks.browser.state import describe, events_as_json, state_of
from rtseg.stream.sinks.browser.workers import Workers
from rtseg.stream.sinks.sink import StreamInfo

log = logging.getLogger(__name__)

STATE_S = 0.25
"""How often the page's figures change."""
LEAST_TOKEN = 12
LARGEST_BODY = 16 * 1024
_CLOSE_S = 1.0
_START_S = 10.0


class BrowserServer:
    """Serves one page; begins to listen at once.

    Args:
        address: where.
        config: how.

    Raises:
        SinkError: the address can't be had, or the token is too short.
    """

    def __init__(self, address: Address, config: BrowserConfig) -> None:
        self.address, self.config = address, config
        self.token, self.is_token_made = _choose_token(address, config)
        self._socket = address.listen()
        self.port: int = self._socket.getsockname()[1]
        self.guard = Guard(
            self.token, checks_host=address.is_loopback, hosts=config.hosts, page=PAGE_FILES
        )
        self.states: Newest[str] = Newest()
        self.num_state_clients = 0
        self.cameras: tuple[Camera, ...] = ()
        self._lock = threading.Lock()
        self._started, self._closing = threading.Event(), False
        self._failure: Exception | None = None
        self._started_ns = time.monotonic_ns()
        self.connections = Connections(4 * config.max_clients + 64)
        self.pacer = Pacer(config.fps, config.cpu, usable_cores())
        self.metrics = Metrics(lambda: self.cameras, self._gauges)
        self._press = JpegPress()
        self._workers = Workers(4, "rtseg-page-worker")
        self.feeds = Feeds(config, self.pacer, self._press)
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, name="rtseg-page", daemon=True)
        self._thread.start()
        if not self._started.wait(_START_S) or self._failure is not None:
            raise SinkError(f"the page at {self.url} doesn't start: {self._failure or 'no answer'}")

    @property
    def url(self) -> str:
        """The page's address, as this machine asks for it."""
        host = "127.0.0.1" if self.address.is_any else self.address.host
        return self.address.url(self.port, host)

    @property
    def link(self) -> str:
        """The page's address as others ask for it; with the token where that was made here."""
        host = own_address() if self.address.is_any else self.address.host
        link = self.address.url(self.port, host)
        return f"{link}/#token={self.token}" if self.is_token_made else link

    @property
    def has_webrtc(self) -> bool:
        """Whether film by WebRTC is offered."""
        return self.config.max_webrtc > 0 and find_spec("aiortc") is not None

    def add(self, info: StreamInfo) -> Camera:
        """Show a stream; one whose key is taken gets another."""
        with self._lock:
            taken = {camera.key for camera in self.cameras}
            key, number = info.key, 1
            while key in taken:
                number += 1
                key = f"{info.key or 'camera'}-{number}"
            camera = Camera(key, info, self._wake, self.metrics.saw_age)
            self.cameras = tuple(sorted((*self.cameras, camera), key=_place))
        return camera

    def remove(self, camera: Camera) -> None:
        """Show a stream no more."""
        with self._lock:
            self.cameras = tuple(other for other in self.cameras if other is not camera)
        self._call(self.feeds.forget, camera)

    def camera(self, key: str | None) -> Camera | None:
        """Return the camera of a key; None: the first one."""
        cameras = self.cameras
        if key is None:
            return cameras[0] if cameras else None
        return next((camera for camera in cameras if camera.key == key), None)

    def hello(self) -> str:
        """Return the JSON of what doesn't change as long as the cameras are the same."""
        return json.dumps(
            {
                "type": "hello",
                "server": str(self._started_ns),
                "cameras": [describe(camera) for camera in self.cameras],
                "webrtc": self.has_webrtc,
            }
        )

    def state(self) -> str:
        """Return the JSON of the moment."""
        cameras = self.cameras
        return json.dumps(
            {
                "type": "state",
                "at_s": round(time.time(), 3),
                "cameras": [state_of(camera) for camera in cameras],
                "clients": self.feeds.num_watchers,
                "sent_fps": round(self.pacer.fps, 1),
            }
        )

    def events(self, since: int, camera: Camera | None = None) -> list[dict[str, object]]:
        """Return the events of one camera after a number, or of all, in the order of time."""
        cameras: Iterable[Camera] = self.cameras if camera is None else (camera,)
        found = [
            event
            for each in cameras
            for event in events_as_json(each, each.info.events.since(since))
        ]
        return sorted(found, key=lambda event: event["at_s"])

    def close(self) -> None:
        """End the page within a moment, whatever its clients do."""
        self._closing = True
        self._call(self._stop.set)
        self._thread.join(2 * _CLOSE_S)
        if self._thread.is_alive():
            log.warning("the page at %s doesn't end; it is left behind", self.url)
            return
        self._press.close()
        self._socket.close()

    def _call(self, function: object, *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)  # type: ignore[arg-type]
        except RuntimeError:
            log.debug("the page at %s has ended", self.url)

    def _wake(self, camera: Camera) -> None:
        """Tell the clients of a camera that it has another picture; in the stream's thread."""
        if self.feeds.is_watched(camera) and not self._closing:
            self._call(self.feeds.wake, camera)

    def _serve(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception as error:
            self._failure = error
            log.exception("the page at %s has failed", self.url)
        finally:
            self._started.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(self._workers)
        runner = web.AppRunner(
            self._application(),
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=_CLOSE_S / 2,
            max_line_size=4096,
        )
        await runner.setup()
        inner = runner.server
        assert inner is not None
        listening = await self._loop.create_server(
            lambda: Connection(inner(), self.connections), sock=self._socket
        )
        ticking = self._loop.create_task(self._tick())
        self._started.set()
        await self._stop.wait()
        listening.close()
        ticking.cancel()
        self.feeds.close()
        self.connections.abort()
        await runner.cleanup()

    def _application(self) -> web.Application:
        from rtseg.stream.sinks.browser.routes import add_routes

        application = web.Application(
            middlewares=[self.guard.middleware()], client_max_size=LARGEST_BODY
        )
        application.on_response_prepare.append(add_headers)
        add_routes(application, self)
        return application

    async def _tick(self) -> None:
        """Tell the page's clients the state, and keep the rate of pictures to its budget."""
        ticks = 0
        while True:
            await asyncio.sleep(STATE_S)
            ticks += 1
            if self.num_state_clients:
                self.states.set(self.state())
            if ticks % 4 == 0:
                self.pacer.measure(time.thread_time() + self._press.spent_s + self._workers.spent_s)

    def _gauges(self) -> Sequence[tuple[str, str, float]]:
        refused = float(sum(self.guard.num_refused.values()))
        return (
            ("page_clients", "Clients that watch.", float(self.feeds.num_watchers)),
            ("page_connections", "Open connections.", float(len(self.connections))),
            ("page_fps_limit", "Pictures a second that a client is sent.", self.pacer.fps),
            ("page_load", "Processor seconds a second that the page takes.", self.pacer.load),
            ("page_refused", "Requests refused: token, host or origin.", refused),
            ("uptime_seconds", "Of the page.", (time.monotonic_ns() - self._started_ns) / 1e9),
        )


def _place(camera: Camera) -> list[tuple[int, str]]:
    """Return where a camera stands among others: cam2 before cam10."""
    parts = re.split(r"(\d+)", camera.key)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _choose_token(address: Address, config: BrowserConfig) -> tuple[str | None, bool]:
    """Return the token and whether it was made here.

    Raises:
        SinkError: the one that was set is too short.
    """
    token = token_of(config, dict(os.environ))
    if token is not None and len(token) < LEAST_TOKEN:
        raise SinkError(
            f"the page's token has {len(token)} characters; at least {LEAST_TOKEN} are needed, or "
            "leave it out and one is made"
        )
    if token is None and (config.hosts or not address.is_loopback):
        return secrets.token_urlsafe(24), True
    return token, False
