"""The pipeline as a library: a loop over its pictures, left in any way."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("no_thread_left")

ENDLESS = 10**6


def indices(pipeline: Any) -> list[int]:
    return [picture.index for picture in pipeline.pictures()]


def test_every_picture_in_order_to_the_loop_and_the_sinks(parts: Any) -> None:
    sink = parts.Sink()
    pipeline, info = parts.pipeline(parts.Source(), [parts.step(workers=3)], [sink])
    assert indices(pipeline) == sink.written == list(range(12))
    assert info.latency.age().count == 12


def test_without_sinks(parts: Any) -> None:
    pipeline, info = parts.pipeline(parts.Source(), [], [])
    assert indices(pipeline) == list(range(12))
    assert info.latency.age().count == 12


def test_nothing_runs_before_the_first_picture_is_asked_for(parts: Any) -> None:
    source = parts.Source()
    pictures = parts.pipeline(source, [], [])[0].pictures()
    assert source.does.calls == []
    pictures.close()
    assert source.does.calls == []


def test_a_slow_loop_loses_pictures_of_a_live_source_only(parts: Any) -> None:
    source = parts.Source(parts.Behaviour(delay_s=0.001), live=True)
    pipeline, info = parts.pipeline(source, [], [])
    got = []
    for picture in pipeline.pictures():
        got.append(picture.index)
        time.sleep(0.01)
    assert got[-1] == 11
    assert len(got) + info.latency.drops["caller"] == 12


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("with_sink", [False, True])
def test_leaving_the_loop_ends_the_pipeline(parts: Any, live: bool, with_sink: bool) -> None:
    does = parts.Behaviour(num_frames=ENDLESS)
    source, sink = parts.Source(does, live=live), parts.Sink(parts.Behaviour(num_frames=ENDLESS))
    pipeline, _ = parts.pipeline(source, [parts.step(does)], [sink] if with_sink else [])
    begun_s = time.monotonic()
    for picture in pipeline.pictures():
        if picture.index >= 5:
            break
    assert time.monotonic() - begun_s < parts.DEADLINE_S
    assert source.does.count("close") == 2  # source and stage share the notes
    if with_sink:
        assert sink.does.count("close") == 1
        assert live or sink.written == list(range(source.num_read))


def test_an_exception_in_the_loop_ends_the_pipeline(parts: Any) -> None:
    source = parts.Source(parts.Behaviour(num_frames=ENDLESS))
    pipeline, _ = parts.pipeline(source, [], [])

    def loop() -> None:
        with closing(pipeline.pictures()) as pictures:
            for _ in pictures:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        loop()
    assert source.does.count("close") == 1


def test_an_exception_thrown_into_the_loop_comes_out_again(parts: Any) -> None:
    source, sink = parts.Source(parts.Behaviour(num_frames=ENDLESS)), parts.Sink()
    sink.does.num_frames = ENDLESS
    pictures = parts.pipeline(source, [], [sink])[0].pictures()
    next(pictures)
    error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt) as raised:
        pictures.throw(error)
    assert raised.value is error
    assert source.does.count("close") == sink.does.count("close") == 1


@pytest.mark.parametrize(
    ("part", "method"),
    [("source", "read"), ("step", "make"), ("step", "process"), ("sink", "open"),
     ("sink", "write"), ("sink", "close"), ("source", "close")],
)  # fmt: skip
def test_a_failure_comes_out_of_the_loop(parts: Any, part: str, method: str) -> None:
    does = {name: parts.Behaviour() for name in ("source", "step", "sink")}
    does[part].fail = {method: 1 if method in {"make", "open", "close"} else 5}
    pipeline, _ = parts.pipeline(
        parts.Source(does["source"]), [parts.step(does["step"])], [parts.Sink(does["sink"])]
    )
    with pytest.raises(parts.Boom) as raised:
        indices(pipeline)
    assert raised.value is does[part].errors[0]
    assert does["source"].count("close") == does["sink"].count("close") == 1


def test_what_closing_raises_comes_out_of_close(parts: Any) -> None:
    sink = parts.Behaviour(num_frames=ENDLESS, fail={"close": 1})
    source = parts.Source(parts.Behaviour(num_frames=ENDLESS))
    pictures = parts.pipeline(source, [], [parts.Sink(sink)])[0].pictures()
    next(pictures)
    with pytest.raises(parts.Boom) as raised:
        pictures.close()
    assert raised.value is sink.errors[0]


def test_stop_ends_the_loop_after_the_pictures_under_way(parts: Any) -> None:
    source = parts.Source(parts.Behaviour(num_frames=ENDLESS))
    pipeline, info = parts.pipeline(source, [parts.step()], [])
    got = []
    for picture in pipeline.pictures():
        got.append(picture.index)
        if picture.index == 5:
            info.controls.stop()
    assert got == list(range(source.num_read))


def test_a_loop_that_takes_its_time_is_not_stuck(parts: Any) -> None:
    source = parts.Source()
    pipeline, info = parts.pipeline(source, [], [], join_timeout_s=0.3)
    got = []
    for picture in pipeline.pictures():
        got.append(picture.index)
        if picture.index == 0:
            info.controls.stop()
            time.sleep(1)
    assert got == list(range(source.num_read))


def test_a_window_is_served_by_the_loops_thread(parts: Any) -> None:
    window = parts.Window(parts.Behaviour(fail={}))
    pipeline, _ = parts.pipeline(parts.Source(), [parts.step()], [window])
    assert indices(pipeline) == window.written == list(range(12))
    here = threading.current_thread().name
    assert window.does.threads("open", "write", "idle", "close") == {here}


def test_a_window_that_fails_ends_the_loop(parts: Any) -> None:
    window = parts.Window(parts.Behaviour(fail={"write": 5}))
    pipeline, _ = parts.pipeline(parts.Source(), [parts.step()], [window])
    with pytest.raises(parts.Boom):
        indices(pipeline)
    assert window.does.count("close") == 1
    assert window.written == [0, 1, 2, 3]
