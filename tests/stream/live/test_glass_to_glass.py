"""How old a picture really is when it is shown, read from the clock that the camera shows."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rtseg.backends.base import Engine, Parallelism
from rtseg.config import validate
from rtseg.frames import Image, Picture
from rtseg.opening import open_engine
from rtseg.stream.engine_request import EngineRequest
from rtseg.stream.run import Stream
from rtseg.stream.settings import StreamConfig
from rtseg.stream.sinks.sink import Sink, StreamInfo

FPS = 30.0
PERIOD_MS = 1000 / FPS
ROWS, COLUMNS, BLOCK_WH = 7, 8, (80, 51)


@pytest.fixture
def clock_camera() -> Iterator[str]:
    """The address of a camera whose pictures carry the monotonic clock."""
    script = Path(__file__).with_name("clock_camera.py")
    with subprocess.Popen(
        [sys.executable, str(script), str(FPS)], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}/"
        server.terminate()


def read_clock_us(image_bgr: Image) -> int:
    """Return the time that a picture carries, microseconds."""
    width, height = BLOCK_WH
    bits = np.empty((ROWS, COLUMNS), np.uint8)
    for row in range(ROWS):
        for column in range(COLUMNS):
            top, left = row * height + height // 4, column * width + width // 4
            bits[row, column] = (
                image_bgr[top : top + height // 2, left : left + width // 2].mean() > 127
            )
    octets = np.packbits(bits)
    assert np.bitwise_xor.reduce(octets) == 0, "the picture is damaged"
    return int.from_bytes(octets[:6].tobytes(), "big")


class Glass(Sink):
    """Looks at the clock on each picture, and ends the stream after enough of them."""

    name = "glass"

    def __init__(self, num_wanted: int, num_skipped: int = 2) -> None:
        self.num_wanted, self.num_skipped = num_wanted, num_skipped
        self.true_ms: list[float] = []
        self.told_ms: list[float] = []
        self.engine_ms: list[float] = []

    def open(self, info: StreamInfo) -> None:
        self.info = info

    def write(self, picture: Picture) -> None:
        now_us = time.monotonic_ns() // 1000
        true_ms = (now_us - read_clock_us(picture.image_bgr)) / 1000
        if picture.frame.index and self.num_skipped:
            self.num_skipped -= 1  # what waited while the stream began
            return
        self.true_ms.append(true_ms)
        self.told_ms.append(now_us / 1000 - picture.frame.captured_ns / 1e6)
        self.engine_ms.append(self.info.latency.trace(picture.frame.index)["engine"])
        if len(self.true_ms) >= self.num_wanted:
            self.info.controls.stop()


def open_on_one_thread(request: EngineRequest) -> Engine:
    return open_engine(replace(request, parallelism=Parallelism(1, 1)))


def run(uri: str, num_pictures: int) -> tuple[Glass, StreamInfo]:
    config = validate(
        StreamConfig,
        {
            "source": {"uri": uri},
            "model": "linknet-camvid",
            "engine": {
                "backend": "eager",
                "size_wh": (384, 224),
                "priority": "latency",
                "build": "never",
            },
            "overlay": {"mode": "picture", "hud": False, "legend": False},
            "outputs": ["null"],
        },
        "test",
    )
    glass = Glass(num_pictures)
    with Stream(config, open_on_one_thread, [glass]) as stream:
        stream.run()
        return glass, stream.info


def percentiles(values: list[float]) -> dict[str, float]:
    return {name: float(np.percentile(values, at)) for name, at in (("p50", 50), ("p95", 95))}


@pytest.mark.parametrize(
    "num_pictures", [10, pytest.param(300, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_the_newest_frame_is_shown_though_the_network_is_too_slow(
    clock_camera: str, num_pictures: int, record_property: pytest.RecordProperty
) -> None:
    glass, info = run(clock_camera, num_pictures)
    true, told, engine = (
        percentiles(values) for values in (glass.true_ms, glass.told_ms, glass.engine_ms)
    )
    figures = {"true_ms": true, "told_ms": told, "engine_ms": engine, "drops": info.latency.drops}
    record_property("glass_to_glass", str(figures))
    assert len(glass.true_ms) >= num_pictures
    assert min(glass.true_ms) > 0
    assert engine["p50"] > PERIOD_MS, "the network must be too slow, or this shows nothing"
    assert sum(info.latency.drops.values()) > num_pictures / 4
    assert true["p50"] < 1.5 * engine["p50"] + PERIOD_MS, figures
    assert abs(true["p50"] - told["p50"]) < PERIOD_MS, figures
