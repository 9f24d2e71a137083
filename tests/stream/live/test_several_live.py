"""Several cameras, one of which isn't there, or goes: the others don't notice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from rtseg.backends.base import Engine
from rtseg.config import validate
from rtseg.export.eager import eager_engine
from rtseg.networks.trained import TrainedNetwork
from rtseg.stream.cameras.several import Several
from rtseg.stream.engine_request import EngineRequest
from rtseg.stream.settings import StreamConfig

DEADLINE_S = 20.0


@pytest.fixture
def folder(tmp_path: Path) -> str:
    for index in range(4):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((48, 64, 3), 50 * index, np.uint8))
    return str(tmp_path)


@pytest.fixture
def open_engine(nearest_colour: TrainedNetwork) -> Callable[[EngineRequest], Engine]:
    def opener(request: EngineRequest) -> Engine:
        threads = request.parallelism
        return eager_engine(nearest_colour, (32, 48), "fp32", "labels", "cpu", threads)

    return opener


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    end_s = time.monotonic() + 5
    while time.monotonic() < end_s:
        left = [t for t in threading.enumerate() if t not in before and t.name.startswith("rtseg")]
        if not left:
            return
        time.sleep(0.05)
    pytest.fail(f"left: {left}")


def config_of(folder: str, live: dict[str, Any]) -> StreamConfig:
    values = {"cameras": [{"uri": folder, "loop": True}, live], "outputs": ["null"]}
    return validate(StreamConfig, values, "test")


def wait_for(what: Callable[[], bool]) -> None:
    end_s = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < end_s
        time.sleep(0.02)


def pictures_of(several: Several, key: str) -> int:
    stream = several.streams.get(key)
    return 0 if stream is None else stream.latency.age().count


def test_a_camera_that_is_waited_for_joins_the_others_when_it_comes(
    folder: str, mjpeg_camera: Any, open_engine: Callable[[EngineRequest], Engine]
) -> None:
    mjpeg_camera.fail("refuse")
    opened: list[str] = []
    config = config_of(folder, {"uri": mjpeg_camera.uri, "wait": True})
    with Several(
        config, open_engine, on_open=lambda camera, stream: opened.append(camera.key)
    ) as several:
        assert list(several.streams) == ["cam1"]
        thread = threading.Thread(target=several.run)
        thread.start()
        wait_for(lambda: pictures_of(several, "cam1") > 5)
        assert opened == ["cam1"]
        mjpeg_camera.heal()
        wait_for(lambda: pictures_of(several, "cam2") > 3)
        assert opened == ["cam1", "cam2"]
        several.controls.stop()
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
        assert not several.summary().failures


def test_the_wait_for_a_camera_ends_with_the_run(
    folder: str, mjpeg_camera: Any, open_engine: Callable[[EngineRequest], Engine]
) -> None:
    mjpeg_camera.fail("refuse")
    config = config_of(folder, {"uri": mjpeg_camera.uri, "wait": True})
    with Several(config, open_engine) as several:
        threading.Timer(0.3, several.controls.stop).start()
        start_s = time.monotonic()
        summary = several.run()
        assert time.monotonic() - start_s < 5
    assert not summary.failures
    assert summary.cameras[1].summary is None


def test_a_camera_that_goes_silent_slows_nobody(
    folder: str, mjpeg_camera: Any, open_engine: Callable[[EngineRequest], Engine]
) -> None:
    config = config_of(folder, {"uri": mjpeg_camera.uri, "reconnect": {"stall_s": 0.3}})
    with Several(config, open_engine) as several:
        thread = threading.Thread(target=several.run)
        thread.start()
        wait_for(lambda: pictures_of(several, "cam2") > 3)
        mjpeg_camera.fail("stall")
        wait_for(lambda: several.streams["cam2"].info.reception.notice() is not None)
        before, start_s = pictures_of(several, "cam1"), time.monotonic()
        wait_for(lambda: pictures_of(several, "cam1") > before + 30)
        assert time.monotonic() - start_s < 10
        mjpeg_camera.heal()
        before = pictures_of(several, "cam2")
        wait_for(lambda: pictures_of(several, "cam2") > before + 3)
        several.controls.stop()
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
        summary = several.summary()
    assert not summary.failures
