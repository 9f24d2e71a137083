"""Sources, stages and sinks that do what a test of the pipeline asks for, and take notes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from rtseg.classes import CAMVID
from rtseg.frames import Frame
from rtseg.stream.controls import Controls
from rtseg.stream.latency import Latency
from rtseg.stream.pipeline import Pipeline, Step
from rtseg.stream.sinks.sink import Sink, StreamInfo
from rtseg.stream.sources.source import Source, SourceInfo
from rtseg.stream.stage import Stage

DEADLINE_S = 2.0


class Boom(Exception):
    """What a part raises when a test wants it to fail."""


@dataclass
class Behaviour:
    """What a part does when one of its methods is called.

    Args:
        delay_s: how long each read, process or write takes.
        fail: method → number of the frame at which it fails, from 1, or "last"; where frames are
            dropped, the next one that comes. Without frames (open, close): number of the call.
        hooks: method → what is called first, with the frame's index where there is one.
        num_frames: how many frames the source has.
    """

    delay_s: float = 0.0
    fail: Mapping[str, int | str] = field(default_factory=dict)
    hooks: Mapping[str, Callable[[int | None], object]] = field(default_factory=dict)
    num_frames: int = 12
    calls: list[tuple[str, int | None, str]] = field(default_factory=list)
    errors: list[Boom] = field(default_factory=list)
    _lock: Any = field(default_factory=threading.Lock)
    _failed: set[str] = field(default_factory=set)

    def call(self, method: str, index: int | None = None) -> None:
        """Note the call and its thread; wait, or fail, as was asked."""
        self.calls.append((method, index, threading.current_thread().name))
        if method in self.hooks:
            self.hooks[method](index)
        if self.delay_s and method in {"read", "process", "write"}:
            time.sleep(self.delay_s)
        if method in self.fail and self._is_time(method, index):
            self.errors.append(Boom(f"{method} of {index}"))
            raise self.errors[-1]

    def _is_time(self, method: str, index: int | None) -> bool:
        """Return True once, when the method is to fail."""
        when = self.num_frames if self.fail[method] == "last" else int(self.fail[method])
        with self._lock:
            reached = self.count(method) if index is None else index + 1
            if method in self._failed or reached < when:
                return False
            self._failed.add(method)
            return True

    def count(self, method: str) -> int:
        return sum(called == method for called, _, _ in self.calls)

    def threads(self, *methods: str) -> set[str]:
        return {thread for called, _, thread in self.calls if called in methods}


class FakeSource(Source):
    """Grey frames of 2 x 2 pixels."""

    def __init__(self, does: Behaviour | None = None, *, live: bool = False) -> None:
        self.does = does or Behaviour()
        self.info = SourceInfo("fake", (2, 2), None, live)
        self.num_read = 0

    def read(self) -> Frame | None:
        index = self.num_read
        if index >= self.does.num_frames:
            return None
        self.does.call("read", index)
        self.num_read += 1
        image = np.full((2, 2, 3), 127, np.uint8)
        return Frame(image, index, index / 10, time.monotonic_ns(), "fake")

    def close(self) -> None:
        self.does.call("close")


class FakeStage(Stage):
    """Hands on what it gets."""

    name = "fake"

    def __init__(self, does: Behaviour) -> None:
        self.does = does
        does.call("make")

    def process(self, item: Any) -> Any:
        self.does.call("process", item.index)
        return item

    def close(self) -> None:
        self.does.call("close")


class FakeSink(Sink):
    """Notes the indices of what it is written."""

    def __init__(self, does: Behaviour | None = None, name: str = "fake") -> None:
        self.does = does or Behaviour()
        self.name = name
        self.written: list[int] = []

    def open(self, info: StreamInfo) -> None:
        self.does.call("open")

    def write(self, picture: Any) -> None:
        self.does.call("write", picture.index)
        self.written.append(picture.index)

    def close(self) -> None:
        self.does.call("close")


class FakeWindow(FakeSink):
    """A sink that must be served by the main thread and looks at its keys between pictures."""

    main_thread = True
    idle_s = 0.01

    def idle(self) -> None:
        self.does.call("idle")


class Parts:
    """Everything that a test of the pipeline is built from."""

    Boom = Boom
    Behaviour = Behaviour
    Source = FakeSource
    Stage = FakeStage
    Sink = FakeSink
    Window = FakeWindow
    DEADLINE_S = DEADLINE_S

    @staticmethod
    def info(source: Source) -> StreamInfo:
        return StreamInfo(source.info, CAMVID, "no engine", Controls(), Latency())

    @staticmethod
    def step(does: Behaviour | None = None, *, name: str = "step", workers: int = 1) -> Step:
        behaviour = does or Behaviour()
        return Step(name, lambda: FakeStage(behaviour), workers)

    def pipeline(
        self, source: Source, steps: list[Step], sinks: list[Sink], **settings: Any
    ) -> tuple[Pipeline, StreamInfo]:
        info = self.info(source)
        return Pipeline(source, steps, sinks, info, **settings), info


@pytest.fixture
def parts() -> Parts:
    return Parts()


@pytest.fixture
def no_thread_left() -> Iterator[None]:
    """Fail if the test leaves a thread behind."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@pytest.fixture
def in_background() -> Iterator[Callable[[Callable[[], object]], threading.Thread]]:
    """Run something in a thread of its own, which the end of the test waits for."""
    threads: list[threading.Thread] = []

    def start(work: Callable[[], object]) -> threading.Thread:
        threads.append(threading.Thread(target=work, daemon=True))
        threads[-1].start()
        return threads[-1]

    yield start
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
