"""How a pipeline ends without a failure, and what it says of a thread that won't."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rtseg.errors import PipelineError

InBackground = Callable[[Callable[[], object]], threading.Thread]


class Hang:
    """A call that doesn't return until the test is over."""

    def __init__(self) -> None:
        self.begun, self.over = threading.Event(), threading.Event()

    def __call__(self, _: object = None) -> None:
        self.begun.set()
        hang_here(self.over)


def hang_here(event: threading.Event) -> None:
    event.wait(20)


@pytest.fixture
def hang() -> Iterator[Hang]:
    hang = Hang()
    before = set(threading.enumerate())
    yield hang
    hang.over.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(5)  # a thread that was left behind finds everything cancelled
    assert set(threading.enumerate()) <= before


def stop_when(parts: Any, info: Any, index: int) -> Any:
    """Return a sink that stops the stream at a frame, as a window does."""

    def stop(at: int | None) -> None:
        if at == index:
            info.controls.stop()

    return parts.Sink(parts.Behaviour(num_frames=10**6, hooks={"write": stop}), "stops")


@pytest.mark.usefixtures("no_thread_left")
@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("slow", ["nobody", "source", "step", "sink"])
def test_stop_finishes_the_frames_under_way(parts: Any, live: bool, slow: str) -> None:
    def does(name: str) -> Any:
        return parts.Behaviour(delay_s=0.01 if slow == name else 0.0005, num_frames=10**6)

    source, sink = parts.Source(does("source"), live=live), parts.Sink(does("sink"))
    pipeline, info = parts.pipeline(source, [parts.step(does("step"), workers=2)], [sink])

    def stop(index: int | None) -> None:
        if index is not None and index >= 7:
            info.controls.stop()

    sink.does.hooks = {"write": stop}
    begun_s = time.monotonic()
    pipeline.run()
    assert time.monotonic() - begun_s < parts.DEADLINE_S
    if live:
        assert sink.written[-1] in {source.num_read - 1, source.num_read - 2}
    else:
        assert sink.written == list(range(source.num_read))
    assert sink.does.count("close") == source.does.count("close") == 1


@pytest.mark.usefixtures("no_thread_left")
@pytest.mark.parametrize("paused", [False, True])
def test_stop_from_another_thread(parts: Any, in_background: InBackground, paused: bool) -> None:
    source = parts.Source(parts.Behaviour(delay_s=0.001, num_frames=10**6))
    sink = parts.Sink()
    pipeline, info = parts.pipeline(source, [parts.step()], [sink])
    info.controls.pause(paused)
    thread = in_background(pipeline.run)
    time.sleep(0.05)
    info.controls.stop()
    thread.join(parts.DEADLINE_S)
    assert not thread.is_alive()
    assert len(sink.written) == source.num_read
    assert sink.does.count("close") == 1


@pytest.mark.usefixtures("no_thread_left")
def test_stopped_before_it_began(parts: Any) -> None:
    source, sink = parts.Source(), parts.Sink()
    pipeline, info = parts.pipeline(source, [parts.step()], [sink])
    info.controls.stop()
    pipeline.run()
    assert sink.written == []
    assert sink.does.count("close") == source.does.count("close") == 1


@pytest.mark.usefixtures("no_thread_left")
def test_an_empty_source(parts: Any) -> None:
    sink = parts.Sink()
    source = parts.Source(parts.Behaviour(num_frames=0))
    pipeline, info = parts.pipeline(source, [parts.step(workers=2)], [sink])
    pipeline.run()
    assert [method for method, *_ in sink.does.calls] == ["open", "close"]
    assert info.latency.shares() == {}


@pytest.mark.parametrize(
    ("part", "method", "live"),
    [
        ("source", "read", False),
        ("source", "read", True),
        ("source", "close", False),
        ("step", "make", False),
        ("step", "process", False),
        ("step", "process", True),
        ("step", "close", False),
        ("sink", "open", False),
        ("sink", "write", False),
        ("sink", "write", True),
        ("sink", "close", False),
    ],
)
def test_a_thread_that_hangs_is_named_and_left_behind(
    parts: Any, hang: Hang, in_background: InBackground, part: str, method: str, live: bool
) -> None:
    does = {name: parts.Behaviour(num_frames=10**6) for name in ("source", "step", "sink", "other")}
    does["source"].delay_s = 0.001
    does[part].hooks = {method: hang}
    sinks = [parts.Sink(does["sink"], "hangs.mp4"), parts.Sink(does["other"], "other")]
    pipeline, info = parts.pipeline(
        parts.Source(does["source"], live=live), [parts.step(does["step"])], sinks,
        join_timeout_s=0.3,
    )  # fmt: skip
    raised: list[BaseException] = []

    def run() -> None:
        try:
            pipeline.run()
        except BaseException as error:
            raised.append(error)

    thread = in_background(run)
    if method == "close":
        time.sleep(0.05)
        info.controls.stop()
    assert hang.begun.wait(5)
    info.controls.stop()
    thread.join(5)
    assert len(raised) == 1
    assert isinstance(raised[0], PipelineError)
    message = str(raised[0])
    owner = {"sink": "sink:hangs.mp4", "step": "step" if method == "make" else "fake"}
    assert f"in {owner.get(part, part)}.{method}() for " in message
    assert f"{'__init__' if method == 'make' else method} (" in message
    assert "wait (threading.py:" in message
    assert does["other"].count("close") == 1
    assert does["other"].count("write") == len(sinks[1].written)


def test_the_sinks_are_closed_while_a_silent_source_is_still_waited_for(
    parts: Any, hang: Hang, in_background: InBackground
) -> None:
    closed_s: list[float] = []
    sink = parts.Sink(parts.Behaviour(hooks={"close": lambda _: closed_s.append(time.monotonic())}))
    silent = parts.Behaviour(hooks={"read": lambda i: hang() if i == 5 else None})
    pipeline, info = parts.pipeline(
        parts.Source(silent, live=True), [parts.step()], [sink], policy="block", join_timeout_s=1.0
    )
    ended_s: list[float] = []

    def run() -> None:
        with pytest.raises(PipelineError, match=r"thread rtseg-source has been in source.read\(\)"):
            pipeline.run()
        ended_s.append(time.monotonic())

    thread = in_background(run)
    assert hang.begun.wait(5)
    info.controls.stop()
    thread.join(8)
    assert sink.written == [0, 1, 2, 3, 4]
    assert closed_s[0] < ended_s[0] - 0.2


def test_a_failure_is_not_hidden_by_a_thread_that_hangs(
    parts: Any, hang: Hang, caplog: pytest.LogCaptureFixture
) -> None:
    source = parts.Behaviour(fail={"read": 2})
    sink = parts.Behaviour(hooks={"write": hang})
    pipeline, _ = parts.pipeline(parts.Source(source), [], [parts.Sink(sink)], join_timeout_s=0.2)
    with pytest.raises(parts.Boom), caplog.at_level(logging.WARNING):
        pipeline.run()
    assert "sink:fake.write()" in caplog.text


@pytest.mark.usefixtures("no_thread_left")
def test_slow_is_not_stuck(parts: Any) -> None:
    """A network that has taken longer than the join timeout for each frame may go on so."""
    step = parts.Behaviour(delay_s=0.4)
    sink = parts.Sink()
    source = parts.Source()
    pipeline, info = parts.pipeline(source, [parts.step(step)], [sink], depth=1, join_timeout_s=0.3)
    sink.does.hooks = {"write": lambda i: info.controls.stop() if i == 1 else None}
    pipeline.run()
    assert sink.written == list(range(source.num_read))


@pytest.mark.usefixtures("no_thread_left")
def test_finishing_an_output_may_take_longer(parts: Any) -> None:
    closing = parts.Behaviour(hooks={"close": lambda _: time.sleep(0.6)})
    pipeline, info = parts.pipeline(
        parts.Source(), [parts.step()], [parts.Sink(closing)], join_timeout_s=0.3
    )
    closing.hooks["write"] = lambda i: info.controls.stop() if i == 2 else None
    pipeline.run()


@pytest.mark.usefixtures("no_thread_left")
def test_nobody_is_hurried_when_the_source_ends(parts: Any) -> None:
    step = parts.Behaviour(delay_s=0.3)
    sink = parts.Sink()
    source = parts.Source(parts.Behaviour(num_frames=2))
    parts.pipeline(source, [parts.step(step)], [sink], join_timeout_s=0.1)[0].run()
    assert sink.written == [0, 1]


def test_no_more_threads(parts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system refuses a thread, the parts are closed all the same."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "rtseg-step-1":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    source, sink = parts.Source(), parts.Sink()
    pipeline, _ = parts.pipeline(source, [parts.step()], [sink])
    with pytest.raises(RuntimeError, match="can't start new thread"):
        pipeline.run()
    assert source.does.count("close") == sink.does.count("close") == 1
