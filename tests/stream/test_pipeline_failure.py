"""Whatever part fails, whenever: the pipeline ends soon, with that exception, and tidies up."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from typing import Any

import pytest

from rtseg.stream.pipeline import Policy

PARTS = ["source", "single", "several", "sink-1", "sink-2"]
QUEUES = {"full": (0.0, 0.004), "empty": (0.002, 0.0), "even": (0.0, 0.0)}
"""Seconds that the source and the sinks take for a frame."""
MOMENTS = {
    "source": [("read", 1), ("read", 5), ("read", "last"), ("close", 1)],
    "single": [("make", 1), ("process", 1), ("process", 5), ("process", "last"), ("close", 1)],
    "several": [("make", 2), ("process", 1), ("process", 5), ("process", "last"), ("close", 2)],
    "sink-1": [("open", 1), ("write", 1), ("write", 5), ("write", "last"), ("close", 1)],
    "sink-2": [("open", 1), ("write", 1), ("write", 5), ("write", "last"), ("close", 1)],
}
CASES = [
    pytest.param(part, method, when, queue, policy, id=f"{part}-{method}-{when}-{queue}-{policy}")
    for part in PARTS
    for method, when in MOMENTS[part]
    for queue, policy in itertools.product(QUEUES, ["block", "drop_oldest"])
]


def behaviours(parts: Any, queue: str, num_frames: int) -> dict[str, Any]:
    source_s, sink_s = QUEUES[queue]
    delays = {"source": source_s, "sink-1": sink_s, "sink-2": sink_s}
    return {
        part: parts.Behaviour(delay_s=delays.get(part, 0.0), num_frames=num_frames)
        for part in PARTS
    }


def check_all_tidy(does: dict[str, Any]) -> None:
    """Each part was closed once, by the thread that used it."""
    for name in ("source", "sink-1", "sink-2"):
        assert does[name].count("close") == 1, name
        assert len(does[name].threads("open", "read", "write", "close")) == 1, name
    for name in ("single", "several"):
        made = [call for call in does[name].calls if call[0] == "make"]
        assert does[name].count("close") == len(made) - len(
            [error for error in does[name].errors if str(error).startswith("make")]
        )
        assert does[name].threads("close") <= does[name].threads("make")


@pytest.mark.usefixtures("no_thread_left")
@pytest.mark.parametrize(("part", "method", "when", "queue", "policy"), CASES)
def test_any_failure_ends_the_pipeline_with_that_very_exception(
    parts: Any, part: str, method: str, when: int | str, queue: str, policy: Policy
) -> None:
    does = behaviours(parts, queue, num_frames=12)
    does[part].fail = {method: when}
    pipeline, _ = parts.pipeline(
        parts.Source(does["source"]),
        [
            parts.step(does["single"], name="single"),
            parts.step(does["several"], name="several", workers=3),
        ],
        [parts.Sink(does["sink-1"], "one"), parts.Sink(does["sink-2"], "two")],
        policy=policy,
    )
    begun_s = time.monotonic()
    with pytest.raises(parts.Boom) as raised:
        pipeline.run()
    assert time.monotonic() - begun_s < parts.DEADLINE_S
    assert raised.value is does[part].errors[0]
    check_all_tidy(does)


@pytest.mark.usefixtures("no_thread_left")
@pytest.mark.parametrize("where", ["open", "write", "close"])
def test_failure_of_a_sink_in_the_main_thread(parts: Any, where: str) -> None:
    does = parts.Behaviour(fail={where: 1})
    other = parts.Behaviour()
    source = parts.Source()
    pipeline, _ = parts.pipeline(
        source, [parts.step()], [parts.Window(does), parts.Sink(other, "other")]
    )
    with pytest.raises(parts.Boom) as raised:
        pipeline.run()
    assert raised.value is does.errors[0]
    assert does.threads("open", "write", "close", "idle") == {threading.current_thread().name}
    assert does.count("close") == other.count("close") == source.does.count("close") == 1


@pytest.mark.usefixtures("no_thread_left")
def test_what_closing_raises_does_not_hide_the_failure(
    parts: Any, caplog: pytest.LogCaptureFixture
) -> None:
    stage = parts.Behaviour(fail={"process": 3, "close": 1})
    sink = parts.Behaviour(fail={"close": 1})
    pipeline, _ = parts.pipeline(parts.Source(), [parts.step(stage)], [parts.Sink(sink)])
    with pytest.raises(parts.Boom) as raised:
        pipeline.run()
    assert raised.value is stage.errors[0]
    assert caplog.text.count("while the stream ended: Boom: close of None") == 2
    if sys.version_info >= (3, 11):
        assert len(raised.value.__notes__) == 2


@pytest.mark.usefixtures("no_thread_left")
def test_sinks_get_what_was_read_before_the_source_failed(parts: Any) -> None:
    sink = parts.Sink(parts.Behaviour(delay_s=0.01))
    source = parts.Source(parts.Behaviour(fail={"read": 9}))
    pipeline, _ = parts.pipeline(source, [parts.step(workers=2)], [sink])
    with pytest.raises(parts.Boom):
        pipeline.run()
    assert sink.written == list(range(8))


@pytest.mark.usefixtures("no_thread_left")
def test_a_failed_source_does_not_wait_for_slow_sinks(parts: Any) -> None:
    sink = parts.Sink(parts.Behaviour(delay_s=0.3))
    source = parts.Source(parts.Behaviour(fail={"read": 9}))
    pipeline, _ = parts.pipeline(source, [parts.step(workers=2)], [sink], join_timeout_s=1.0)
    begun_s = time.monotonic()
    with pytest.raises(parts.Boom):
        pipeline.run()
    assert time.monotonic() - begun_s < 8 * 0.3


@pytest.mark.usefixtures("no_thread_left")
def test_a_failing_close_costs_the_other_sinks_nothing(parts: Any) -> None:
    quick = parts.Sink(parts.Behaviour(fail={"close": 1}), "quick")
    slow = parts.Sink(parts.Behaviour(delay_s=0.01), "slow")
    source = parts.Source(parts.Behaviour(fail={"close": 1}))
    pipeline, _ = parts.pipeline(source, [parts.step()], [quick, slow])
    with pytest.raises(parts.Boom):
        pipeline.run()
    assert quick.written == slow.written == list(range(12))


@pytest.mark.usefixtures("no_thread_left")
def test_nothing_is_read_when_a_part_could_not_be_made_ready(parts: Any) -> None:
    closed = threading.Event()
    sink = parts.Behaviour(fail={"open": 1}, hooks={"close": lambda _: closed.set()})
    slow = parts.Behaviour(hooks={"make": lambda _: closed.wait(5)})
    source = parts.Source()
    pipeline, _ = parts.pipeline(source, [parts.step(slow)], [parts.Sink(sink)])
    with pytest.raises(parts.Boom):
        pipeline.run()
    assert source.num_read == 0
    assert source.does.count("close") == slow.count("close") == 1


@pytest.mark.usefixtures("no_thread_left")
@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), MemoryError()])
def test_any_kind_of_exception_counts(parts: Any, error: BaseException) -> None:
    def fail(_: object) -> None:
        raise error

    sink = parts.Behaviour()
    stage = parts.Behaviour(hooks={"process": fail})
    pipeline, _ = parts.pipeline(parts.Source(), [parts.step(stage)], [parts.Sink(sink)])
    with pytest.raises(type(error)) as raised:
        pipeline.run()
    assert raised.value is error
    assert sink.count("close") == 1
