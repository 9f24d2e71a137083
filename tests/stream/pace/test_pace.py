"""A rate that is kept by real streams: threads, clocks and engines of several sizes."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError

from rtseg.api import open_engine
from rtseg.backends.base import Engine, EngineInfo
from rtseg.classes import CAMVID
from rtseg.errors import EngineError
from rtseg.stream.engine_request import EngineConfig, EngineRequest
from rtseg.stream.pace.engine_ladder import EngineLadder
from rtseg.stream.run import Stream
from rtseg.stream.settings import StreamConfig
from rtseg.stream.sinks.sink import Sink

_log = logging.getLogger(__name__)

SIZES_HW = ((64, 96), (32, 48), (16, 24))


class Machine:
    """How much longer everything takes at the moment."""

    slowdown = 1.0


class TimedEngine(Engine):
    """Takes its time, in proportion to its pixels: 20 ms for the largest."""

    def __init__(self, input_hw: tuple[int, int], machine: Machine) -> None:
        self.info = EngineInfo("timed", "eager", "fp32", "cpu", CAMVID, input_hw)
        self._machine = machine
        self._step_s = 0.020 * input_hw[0] * input_hw[1] / (64 * 96)
        self.closed = False

    def infer(self, images_bgr: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        time.sleep(self._step_s * self._machine.slowdown)
        return np.zeros((1, *self.info.input_hw), np.uint8)

    def close(self) -> None:
        self.closed = True


class Shown(Sink):
    """Keeps what the pictures are, and changes the machine as they come."""

    name = "shown"

    def __init__(self, machine: Machine, slow: range) -> None:
        self._machine, self._slow = machine, slow
        self.indices: list[int] = []
        self.shapes: set[tuple[int, ...]] = set()

    def write(self, picture: Any) -> None:
        self.indices.append(picture.frame.index)
        self.shapes.add(picture.image_bgr.shape)
        self._machine.slowdown = 4.0 if len(self.indices) in self._slow else 1.0


def config(**settings: Any) -> StreamConfig:
    base = {
        "source": {"uri": "demo", "size_wh": (128, 96), "duration_s": None},
        "engine": {"target_fps": 25, "priority": "latency", "device": "cpu"},
        "overlay": {"legend": False},
        "outputs": ("null",),
    }
    return StreamConfig.model_validate({**base, **settings})


@pytest.fixture
def film(tmp_path: Path) -> dict[str, Any]:
    """A source that costs nothing: four pictures, again and again."""
    rng = np.random.default_rng(0)
    for number in range(4):
        picture = rng.integers(0, 255, (96, 128, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
    return {"uri": str(tmp_path), "loop": True}


def test_the_size_goes_down_when_the_machine_is_slow(
    film: dict[str, Any], no_thread_left: None
) -> None:
    machine, num_frames = Machine(), 160
    engines = [TimedEngine(hw, machine) for hw in SIZES_HW]
    shown = Shown(machine, slow=range(30, num_frames))
    run = config(source={**film, "max_frames": num_frames}, postprocess={"smooth": 0.5})
    with Stream(run, lambda request: EngineLadder(engines), [shown]) as stream:
        summary = stream.run()
        events = [event for event in stream.events.since() if event.kind == "engine size"]
    assert shown.indices == list(range(num_frames)), "a film keeps its frames, in their order"
    assert shown.shapes == {(96, 128, 3)}
    assert events[0].values["size_wh"] in ([48, 32], [24, 16])
    assert events[0].values["load"] > 0.97
    assert summary.pace is not None
    assert summary.pace.changes == len(events)
    assert sum(summary.pace.sizes.values()) == pytest.approx(1)
    assert summary.pace.sizes["96x64"] > 0
    assert summary.pace.skipped == 0
    assert summary.to_dict()["pace"]["target_fps"] == 25
    assert all(engine.closed for engine in engines)


def test_an_engine_of_one_size_is_a_ladder_too(film: dict[str, Any]) -> None:
    run = config(source={**film, "max_frames": 5})
    with Stream(run, lambda request: TimedEngine((64, 96), Machine())) as stream:
        summary = stream.run()
    assert summary.pace is not None
    assert summary.pace.sizes == {"96x64": pytest.approx(1)}


def test_pictures_tell_of_a_change_for_some_seconds(film: dict[str, Any]) -> None:
    machine = Machine()
    notices: set[str | None] = set()
    engines = [TimedEngine(hw, machine) for hw in SIZES_HW]
    run = config(source={**film, "max_frames": 200})
    with Stream(run, lambda request: EngineLadder(engines)) as stream:
        for number, _ in enumerate(stream.pictures()):
            machine.slowdown = 4.0 if number > 10 else 1.0
            notices.add(stream._hud().notice)
            if len(notices) > 1:
                break
    assert any(notice and "to keep 25 fps" in notice for notice in notices)


def test_several_workers_may_ask_at_once(film: dict[str, Any]) -> None:
    machine = Machine()
    engines = [TimedEngine(hw, machine) for hw in SIZES_HW]
    run = config(
        engine={"target_fps": 50, "priority": "throughput", "device": "cpu"},
        source={**film, "max_frames": 60},
    )
    shown = Shown(machine, range(0))
    with Stream(run, lambda request: EngineLadder(engines), [shown]) as stream:
        stream.run()
    assert shown.indices == list(range(60))


def test_a_ladder_is_sorted_and_refuses_what_is_none() -> None:
    machine = Machine()
    ladder = EngineLadder([TimedEngine(hw, machine) for hw in reversed(SIZES_HW)])
    assert ladder.sizes_hw == list(SIZES_HW)
    ladder.rung = 2
    assert ladder.info.input_hw == (16, 24)
    assert ladder.infer(np.zeros((1, 16, 24, 3), np.uint8)).shape == (1, 16, 24)
    twice = [TimedEngine((16, 24), machine) for _ in range(2)]
    with pytest.raises(EngineError, match="24x16 is there twice"):
        EngineLadder(twice)
    assert all(engine.closed for engine in twice)


def test_what_can_not_go_together_is_refused() -> None:
    with pytest.raises(ValidationError, match="device_path"):
        EngineConfig(target_fps=30, device_path=True)
    with pytest.raises(ValidationError, match="target_fps"):
        EngineConfig(sizes_wh=((96, 64),))
    with pytest.raises(ValidationError, match="one source"):
        StreamConfig.model_validate({"cameras": ["demo:1", "demo:2"], "engine": {"target_fps": 30}})


class Burning:
    """Processes that take the cores away, as a throttled machine does."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []

    def be(self, wanted: bool, number: int = 8) -> None:
        """Start them, or end them, unless it is so already."""
        if wanted and not self._processes:
            command = [sys.executable, "-c", "while True: pass"]
            self._processes = [subprocess.Popen(command) for _ in range(number)]
        elif not wanted:
            for process in self._processes:
                process.kill()
                process.wait()
            self._processes = []


@pytest.mark.slow
def test_with_real_networks_and_processes_that_take_the_cores(
    film: dict[str, Any], tmp_path: Path
) -> None:
    """Three sizes of the lightest network; the load lasts from second 5 to second 15."""
    settings: dict[str, Any] = {
        "sizes_wh": ((320, 192), (192, 128), (96, 64)), "build": "never", "device": "cpu",
        "backend": "eager", "precision": "fp32", "engines": tmp_path, "priority": "latency",
    }  # fmt: skip
    num_steps = 40
    with open_engine(a_request(**settings)) as ladder:
        assert isinstance(ladder, EngineLadder)
        start_s = time.monotonic()
        for _ in range(num_steps):
            ladder.infer(np.zeros((1, 192, 320, 3), np.uint8))
        step_s = (time.monotonic() - start_s) / num_steps
    run = config(source=film, engine={**settings, "target_fps": 0.35 / step_s})
    burning, indices, shapes = Burning(), [], set()
    began_s: float | None = None
    try:
        with Stream(run, open_engine) as stream:
            for picture in stream.pictures():
                began_s = began_s or time.monotonic()
                now_s = time.monotonic() - began_s
                indices.append(picture.frame.index)
                shapes.add(picture.image_bgr.shape)
                burning.be(5 < now_s < 15)
                events = [one for one in stream.events.since() if one.kind == "engine size"]
                widths = [one.values["size_wh"][0] for one in events]
                came_back = now_s > 15 and len(widths) > 1 and widths[-1] > min(widths)
                if came_back or now_s > 70:
                    break
            figures = stream.summary()
    finally:
        burning.be(False)
    assert figures.pace is not None
    _log.info("%s %s", figures.pace, [event.text for event in events])
    assert indices == list(range(len(indices)))
    assert len(shapes) == 1
    assert widths, "down"
    assert widths[0] < 320
    assert came_back, "and up again"


def a_request(**settings: Any) -> EngineRequest:
    from rtseg.backends.base import Parallelism

    return EngineRequest(
        "ddrnet-23-slim-camvid",
        EngineConfig.model_validate({"target_fps": 30, **settings}),
        (360, 640),
        "labels",
        Parallelism(1, 1),
    )


def test_sizes_that_are_asked_for_are_opened(tmp_path: Path) -> None:
    asked = a_request(
        backend="eager", build="never", engines=tmp_path, sizes_wh=((48, 32), (96, 64))
    )
    with open_engine(asked) as engine:
        assert isinstance(engine, EngineLadder)
        assert engine.sizes_hw == [(64, 96), (32, 48)]
        for rung, (height, width) in enumerate(engine.sizes_hw):
            engine.rung = rung
            labels = engine.infer(np.zeros((1, height, width, 3), np.uint8))
            assert labels.shape == (1, height, width)
