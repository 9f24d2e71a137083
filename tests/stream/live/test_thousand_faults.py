"""A thousand faults in a row, by two real servers: every one recovered, nothing left over."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import statistics
import threading
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import psutil
import pytest

from rtseg.stream import events as events_module
from rtseg.stream.events import Events
from rtseg.stream.sources import ReconnectConfig, SourceConfig, open_source

NUM_FAULTS = int(os.environ.get("RTSEG_FAULTS", "1000"))
"""A thousand take a quarter of an hour; fewer are for a quick look."""
NUM_WARM_UP = 50
"""The first ones load what every later one uses, and make the allocator's arenas."""
HTTP_FAULTS = (
    "stall", "close", "refuse", "garbage", "half", "size", "rate", "drip", "password", "missing",
    "silent",
)  # fmt: skip
RTSP_FAULTS = ("killed", "frozen")
RTSP_EVERY = 12
"""One fault of so many is of the RTSP server: a process takes a while to start."""
CHANGES = ("size", "rate")
"""These are no losses: the picture goes on, other than before."""


class Faults:
    """Makes one fault after the other, and measures each return."""

    def __init__(self, http: Any, rtsp: Any, http_viewer: Any, rtsp_viewer: Any) -> None:
        self.http, self.rtsp = http, rtsp
        self.http_viewer, self.rtsp_viewer = http_viewer, rtsp_viewer
        self.returns_s: dict[str, list[float]] = {}
        self.footprints: list[tuple[float, int, int]] = []

    def make(self, number: int) -> None:
        if number % RTSP_EVERY == RTSP_EVERY - 1:
            self._break_rtsp(RTSP_FAULTS[number // RTSP_EVERY % len(RTSP_FAULTS)])
        else:
            self._break_http(HTTP_FAULTS[number % len(HTTP_FAULTS)])
        self._take_footprint()

    def _break_http(self, fault: str) -> None:
        viewer, camera = self.http_viewer, self.http
        viewer.wait_for_pictures(4)
        if fault in CHANGES:
            return self._change_http(fault)
        losses = viewer.reception.num_losses
        camera.fail(fault)
        viewer.wait_for_loss(losses + 1)
        camera.heal()
        self._measure(fault, viewer)

    def _change_http(self, fault: str) -> None:
        camera, viewer = self.http, self.http_viewer
        if fault == "size":
            camera.wh = (96, 64) if camera.wh == (64, 48) else (64, 48)
            viewer.wait_for(lambda: viewer.shapes[-1] == camera.wh[::-1])
        else:
            camera.fps = 25.0 if camera.fps == 50.0 else 50.0
            viewer.wait_for_pictures(5)

    def _break_rtsp(self, fault: str) -> None:
        viewer, camera = self.rtsp_viewer, self.rtsp
        viewer.wait_for_pictures(4)
        losses = viewer.reception.num_losses
        if fault == "killed":
            camera.kill()
            viewer.wait_for_loss(losses + 1)
            camera.start()
        else:
            camera.freeze()
            viewer.wait_for_loss(losses + 1)
            camera.freeze(False)
        self._measure(fault, viewer)

    def _measure(self, fault: str, viewer: Any) -> None:
        begin_s = time.monotonic()
        viewer.wait_for(lambda: viewer.reception.lost_s is None and viewer.last_ns > begin_s * 1e9)
        self.returns_s.setdefault(fault, []).append(viewer.last_ns / 1e9 - begin_s)

    def _take_footprint(self) -> None:
        """Note what is in use; what is free goes back first, as each thread's arena hoards it."""
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        process = psutil.Process()
        memory = process.memory_info().rss / 2**20
        self.footprints.append((memory, threading.active_count(), process.num_fds()))

    def figures(self) -> dict[str, Any]:
        tenth = max(len(self.footprints) // 10, 1)
        first, last = self.footprints[:tenth], self.footprints[-tenth:]
        return {
            "faults": len(self.footprints),
            "median_s": statistics.median(chain(*self.returns_s.values())),
            "medians_s": {k: round(statistics.median(v), 3) for k, v in self.returns_s.items()},
            "worst_s": {k: round(max(v), 3) for k, v in self.returns_s.items()},
            "memory_mib": [round(memory, 1) for memory, _, _ in self.footprints[::tenth]],
            "first": [statistics.mean(column) for column in zip(*first, strict=True)],
            "last": [statistics.mean(column) for column in zip(*last, strict=True)],
        }


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_a_thousand_faults(
    mjpeg_camera: Any,
    rtsp_camera: Any,
    view: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events_module.log, "disabled", True)  # pytest keeps every line in memory
    reconnect = ReconnectConfig(first_s=0.1, longest_s=0.4, stall_s=0.25)
    mjpeg_camera.fps = 50.0
    rtsp_camera.start()
    viewers = []
    for uri in (mjpeg_camera.uri, rtsp_camera.uri):
        events = Events()
        config = SourceConfig(uri=uri, timeout_s=0.5 if "http" in uri else 2.0, reconnect=reconnect)
        viewers.append(view(open_source(config, events), events))
    faults = Faults(mjpeg_camera, rtsp_camera, *viewers)
    for number in range(NUM_FAULTS + NUM_WARM_UP):
        faults.make(number)
        if number == NUM_WARM_UP - 1:
            faults.footprints.clear()
            faults.returns_s.clear()
    figures = faults.figures()
    (tmp_path / "faults.json").write_text(json.dumps(figures, indent=1))
    assert figures["faults"] == NUM_FAULTS, "every one is recovered"
    assert figures["median_s"] < 1, figures
    for first, last in zip(figures["first"], figures["last"], strict=True):
        assert last <= 1.02 * first, figures
    for viewer in viewers:
        indices = [index for index, _ in viewer.times]
        assert indices == list(range(indices[0], indices[0] + len(indices)))
