"""Cameras that fail on demand, over real sockets, and what reads them in a thread of its own."""

from __future__ import annotations

import base64
import contextlib
import functools
import os
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from rtseg.frames import Frame
from rtseg.stream.events import Events
from rtseg.stream.sources import Source

RTSP_SCRIPT = Path(__file__).with_name("rtsp_camera.py")
GSTREAMER_PYTHON = "/usr/bin/python3"
DEADLINE_S = 20.0
KEPT = 4096
"""So many pictures' times are kept, so that a long test doesn't grow by itself."""


class MjpegCamera:
    """An HTTP camera of numbered pictures with switches for what goes wrong.

    `mode` is one of: ok, stall (sends nothing more), close (ends the stream at once), refuse
    (nobody listens), garbage, half (of a picture, then closes), drip (a byte now and then),
    password (401), missing (404), silent (accepts and never answers). What is wrong is wrong for
    the open connections too.
    """

    def __init__(self) -> None:
        self.mode = "ok"
        self.fps = 50.0
        self.wh = (64, 48)
        self.password: str | None = None
        self.num_requests = 0
        self._over = False
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.uri = f"http://127.0.0.1:{self.port}/video"
        self._jpegs: dict[tuple[int, int], bytes] = {}
        self._start(self._accept, self._listener)

    def fail(self, mode: str) -> None:
        """Go wrong."""
        self.mode = mode
        if mode == "refuse":
            self._close(self._listener)
        if mode in ("refuse", "password", "missing", "silent"):
            self._drop()

    def heal(self) -> None:
        """Be a good camera again."""
        was, self.mode = self.mode, "ok"
        if was == "refuse":
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self._start(self._accept, self._listener)
        elif was == "silent":
            self._drop()

    def close(self) -> None:
        self._over = True
        self._close(self._listener)
        self._drop()

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        threading.Thread(target=target, args=arguments, daemon=True, name="camera").start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.add(connection)
            self._start(self._answer, connection)

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            request = connection.recv(4096).decode("latin-1")
            self.num_requests += bool(request)
            refusal = self._refusal(request)
            if self.mode == "silent":
                self._hang(connection, "silent")
            elif refusal:
                connection.sendall(f"HTTP/1.1 {refusal}\r\nContent-Length: 0\r\n\r\n".encode())
            else:
                self._play(connection)
        with self._lock:
            self._connections.discard(connection)
        connection.close()

    def _refusal(self, request: str) -> str:
        right = base64.b64encode((self.password or "").encode()).decode()
        if self.mode == "password" or (self.password and f"Basic {right}" not in request):
            return "401 Unauthorized\r\nWWW-Authenticate: Basic realm=camera"
        return "404 Not Found" if self.mode == "missing" else ""

    def _play(self, connection: socket.socket) -> None:
        head = "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=part\r\n\r\n"
        connection.sendall(head.encode())
        due_s = time.monotonic()
        while not self._over:
            part = self._part()
            if self.mode == "ok":
                connection.sendall(part)
            elif self._spoil(connection, part):
                return
            due_s += 1 / self.fps
            time.sleep(max(0.0, min(due_s - time.monotonic(), 1 / self.fps)))

    def _spoil(self, connection: socket.socket, part: bytes) -> bool:
        """Send something wrong; return whether the connection is to be closed."""
        if self.mode in ("stall", "silent"):
            self._hang(connection, self.mode)
        elif self.mode == "garbage":
            connection.sendall(np.random.default_rng(0).bytes(len(part)))
        elif self.mode == "drip":
            connection.sendall(part[:1])
        elif self.mode == "half":
            connection.sendall(part[: len(part) // 2])
        return self.mode != "garbage" and self.mode != "drip"

    def _hang(self, connection: socket.socket, mode: str) -> None:
        """Send nothing until this ends, or the client goes."""
        connection.settimeout(0.05)
        while self.mode == mode and not self._over:
            with contextlib.suppress(TimeoutError):
                if not connection.recv(1024):
                    return

    def _part(self) -> bytes:
        if self.wh not in self._jpegs:
            image = np.full((self.wh[1], self.wh[0], 3), 90, np.uint8)
            data = cv2.imencode(".jpg", image)[1].tobytes()
            head = f"--part\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            self._jpegs[self.wh] = head.encode() + data + b"\r\n"
        return self._jpegs[self.wh]

    def _drop(self) -> None:
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _close(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread
        listener.close()


class RtspCamera:
    """GStreamer's RTSP server in a process of its own, to be killed."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self.uri = f"rtsp://127.0.0.1:{self.port}/live"
        self._process: subprocess.Popen[str] | None = None

    def start(self, *options: str) -> None:
        """Start, and wait until it listens."""
        self._process = subprocess.Popen(
            [GSTREAMER_PYTHON, str(RTSP_SCRIPT), str(self.port), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        """End it as a power cut does."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()

    def freeze(self, on: bool = True) -> None:
        """Let it hang, or go on."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP if on else signal.SIGCONT)


class Viewer:
    """Reads a source to its end in a thread, and keeps what it got."""

    def __init__(self, source: Source, events: Events) -> None:
        assert source.reception is not None
        self.source, self.events, self.reception = source, events, source.reception
        self.shapes: deque[tuple[int, int]] = deque(maxlen=KEPT)
        self.times: deque[tuple[int, float]] = deque(maxlen=KEPT)
        self.num = 0
        self.last_ns = 0
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._read, daemon=True, name="viewer")
        self._thread.start()

    def wait_for(self, what: Callable[[], Any], limit_s: float = DEADLINE_S) -> None:
        """Wait until something is so.

        Raises:
            Failed: it isn't in time.
        """
        end_s = time.monotonic() + limit_s
        while not what():
            if time.monotonic() > end_s:
                seen = [event.text for event in self.events.since()][-5:]
                pytest.fail(f"{self.num} pictures, {self.error!r}, {seen}")
            time.sleep(0.002)

    def wait_for_pictures(self, num: int = 1) -> None:
        """Wait for so many more."""
        target = self.num + num
        self.wait_for(lambda: self.num >= target)

    def wait_for_loss(self, num: int) -> None:
        """Wait for the loss of that number, from 1."""
        self.wait_for(lambda: self.reception.num_losses >= num)

    @property
    def is_reading(self) -> bool:
        return self._thread.is_alive()

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events.since()]

    def close(self) -> None:
        self.source.interrupt()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()

    def _read(self) -> None:
        try:
            with self.source:
                for frame in self.source:
                    self._take(frame)
        except BaseException as error:
            self.error = error

    def _take(self, frame: Frame) -> None:
        self.shapes.append(frame.hw)
        self.times.append((frame.index, frame.pts_s))
        self.last_ns = frame.captured_ns
        self.num += 1


@pytest.fixture
def mjpeg_camera() -> Iterator[MjpegCamera]:
    camera = MjpegCamera()
    yield camera
    camera.close()


@functools.cache
def has_rtsp_server() -> bool:
    probe = "import gi; gi.require_version('GstRtspServer', '1.0')"
    try:
        found = subprocess.run([GSTREAMER_PYTHON, "-c", probe], capture_output=True, check=False)
    except OSError:
        return False
    return found.returncode == 0


@pytest.fixture
def rtsp_camera() -> Iterator[RtspCamera]:
    if not has_rtsp_server():
        required = "rtsp-server" in os.environ.get("RTSEG_REQUIRE", "").split(",")
        (pytest.fail if required else pytest.skip)(
            "no gst-rtsp-server: apt install python3-gi gir1.2-gst-rtsp-server-1.0"
        )
    camera = RtspCamera()
    yield camera
    camera.kill()


@pytest.fixture
def view() -> Iterator[Callable[[Source, Events], Viewer]]:
    """Start to read a source."""
    viewers: list[Viewer] = []

    def start(source: Source, events: Events) -> Viewer:
        viewers.append(Viewer(source, events))
        return viewers[-1]

    yield start
    for viewer in viewers:
        viewer.close()
