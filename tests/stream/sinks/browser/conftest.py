"""Pages with streams behind them, and ways to ask them."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtseg.classes import CAMVID
from rtseg.frames import ClassMap, Frame, Picture
from rtseg.stream.controls import Controls
from rtseg.stream.latency import Latency
from rtseg.stream.overlay.hud import HudValues
from rtseg.stream.overlay.overlay import Overlay
from rtseg.stream.overlay.style import OverlayStyle
from rtseg.stream.redraw import Redraw
from rtseg.stream.sinks import make_sink
from rtseg.stream.sinks.browser import BrowserConfig, BrowserSink
from rtseg.stream.sinks.sink import StreamInfo
from rtseg.stream.sources.source import SourceInfo

HW = (180, 320)


class Feeder:
    """A paced stream of moving pictures into a page, drawn and written as a pipeline does it.

    `lose` and `info.reception.find` take the signal away and bring it back.
    """

    def __init__(
        self,
        output: str = "http://127.0.0.1:0",
        config: BrowserConfig | None = None,
        *,
        key: str = "",
        name: str = "test camera",
        fps: float = 20.0,
        hw: tuple[int, int] = HW,
        outputs: tuple[str, ...] = (),
    ) -> None:
        source = SourceInfo(name, hw, fps, live=True)
        controls = Controls(OverlayStyle(hud=False))

        def overlay() -> Overlay:
            return Overlay(lambda: controls.style, CAMVID, lambda: HudValues(0, 0, "", 0))

        self.info = StreamInfo(
            source, CAMVID, "an engine", controls, Latency(), Redraw(overlay), key=key,
            outputs=outputs,
        )  # fmt: skip
        self.sink = BrowserSink(output, config or BrowserConfig(max_webrtc=0))
        self._fps, self._hw = fps, hw
        self.newest = -1
        self._end = threading.Event()
        self.sink.open(self.info)
        self.url = self.sink.url
        self.port = int(self.url.rpartition(":")[2])
        self._overlay = overlay()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        self._thread.join(10)
        self.sink.close()

    def _run(self) -> None:
        index = 0
        while not self._end.wait(1 / self._fps):
            is_lost = self.info.reception.lost_s is not None
            if is_lost or not self.info.controls.wait(0.1):
                self.sink.idle()
                continue
            self.sink.write(self._picture(index))
            self.newest = index
            index += 1

    def _picture(self, index: int) -> Picture:
        """Return a picture whose halves move: road on one side, sky on the other."""
        began_ns = time.monotonic_ns()
        height, width = self._hw
        image = np.full((height, width, 3), (60, 90, 60), np.uint8)
        labels = np.full((height, width), CAMVID.id_of("Road"), np.uint8)
        edge = (7 * index) % width
        image[:, :edge] = (200, 160, 90)
        image[:, max(0, edge - 6) : edge] = 255
        labels[:, :edge] = CAMVID.id_of("Sky")
        frame = Frame(image, index, index / self._fps, began_ns, "test")
        self.info.latency.record(index, "engine", began_ns, time.monotonic_ns())
        picture = self._overlay.process(ClassMap(labels, CAMVID, frame))
        self.info.latency.shown(index, began_ns, time.monotonic_ns())
        return picture


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Asks a page as programs do; what is set here goes along with every request."""

    def __init__(self, port: int, headers: dict[str, str] | None = None) -> None:
        self.port = port
        self.headers = headers or {}

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        return self._ask(method, path, None, headers)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._ask("POST", path, data, {"Content-Type": "application/json", **headers})

    def wait(self, path: str, holds: Callable[[Any], bool], timeout_s: float = 15.0) -> Any:
        """Ask again and again until the JSON is as it should be; return it."""
        end = time.monotonic() + timeout_s
        while not holds(found := self.get(path).json):
            assert time.monotonic() < end, f"{path} stays {found}"
            time.sleep(0.05)
        return found

    @contextlib.contextmanager
    def raw(self, data: bytes) -> Iterator[socket.socket]:
        """Send bytes as they are."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(data)
            yield connection

    def _ask(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> Answer:
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, data, {**self.headers, **headers})
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()


@pytest.fixture
def feed() -> Iterator[Callable[..., Feeder]]:
    """Start streams into pages; they end with the test."""
    feeders: list[Feeder] = []

    def start(*arguments: Any, **named: Any) -> Feeder:
        feeders.append(Feeder(*arguments, **named))
        return feeders[-1]

    yield start
    for feeder in feeders:
        feeder.close()


@pytest.fixture
def ask() -> Callable[..., Client]:
    """Make a client of a stream's page."""

    def make(feeder: Feeder, **headers: str) -> Client:
        return Client(feeder.port, {name.replace("_", "-"): v for name, v in headers.items()})

    return make


@pytest.fixture
def make_film() -> Callable[[Path], Path]:
    """Record a film of two seconds."""

    def record(path: Path) -> Path:
        with make_sink(str(path)) as sink:
            info = StreamInfo(SourceInfo("t", HW, 25.0, False), CAMVID, "", Controls(), Latency())
            sink.open(info)
            labels = np.zeros(HW, np.uint8)
            for index in range(50):
                image = np.full((*HW, 3), 5 * index, np.uint8)
                frame = Frame(image, index, index / 25, time.monotonic_ns(), "t")
                sink.write(Picture(image, frame, ClassMap(labels, CAMVID, frame)))
        return path

    return record


@pytest.fixture
def page(feed: Callable[..., Feeder]) -> Feeder:
    """A page with one stream."""
    return feed()


@pytest.fixture
def client(page: Feeder, ask: Callable[..., Client]) -> Client:
    """A client of `page`."""
    return ask(page)
