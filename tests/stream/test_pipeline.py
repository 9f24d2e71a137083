"""The way of the frames: order, overflow, drops, pause, memory, and the clocks."""

from __future__ import annotations

import random
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rtseg.errors import ConfigError, PipelineError
from rtseg.frames import Frame
from rtseg.stream.latency import WAIT
from rtseg.stream.pipeline import Policy, Step
from rtseg.stream.stage import Stage

pytestmark = pytest.mark.usefixtures("no_thread_left")

InBackground = Callable[[Callable[[], object]], threading.Thread]


class Named(Stage):
    """Applies a function; its name is the test's."""

    def __init__(self, name: str, function: Callable[[Any], Any]) -> None:
        self.name = name  # type: ignore[misc]
        self.process = function  # type: ignore[method-assign]

    def process(self, item: Any) -> Any:
        raise NotImplementedError


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline_s, "it never came true"
        time.sleep(0.002)


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("depth", [1, 2])
def test_every_frame_in_order_to_every_sink(parts: Any, workers: int, depth: int) -> None:
    jitter = random.Random(workers)
    uneven = parts.Behaviour(hooks={"process": lambda _: time.sleep(jitter.random() * 0.004)})
    slow, quick = parts.Sink(parts.Behaviour(delay_s=0.001), "slow"), parts.Sink(name="quick")
    pipeline, info = parts.pipeline(
        parts.Source(parts.Behaviour(num_frames=100)),
        [parts.step(uneven, workers=workers), parts.step(name="second")],
        [slow, quick],
        depth=depth,
    )
    pipeline.run()
    assert slow.written == quick.written == list(range(100))
    assert info.latency.drops == {}
    assert info.latency.age().count == 100
    assert len(uneven.threads("process")) == workers


def test_several_workers_work_at_the_same_time(parts: Any) -> None:
    together = threading.Barrier(3)
    does = parts.Behaviour(hooks={"process": lambda _: together.wait(5)})
    pipeline, _ = parts.pipeline(parts.Source(), [parts.step(does, workers=3)], [parts.Sink()])
    pipeline.run()
    assert does.count("process") == 12


def test_the_stages_of_a_step_share_a_thread_and_are_timed_apart(parts: Any) -> None:
    threads: list[int] = []

    def note(item: Any) -> Any:
        threads.append(threading.get_ident())
        return item

    step = Step("both", lambda: [Named("first", note), Named("second", note)])
    pipeline, info = parts.pipeline(parts.Source(), [step], [parts.Sink(name="out")])
    pipeline.run()
    assert len(set(threads)) == 1
    assert list(info.latency.stages()) == ["capture", "first", "second", WAIT, "sink:out"]
    assert set(info.latency.trace(5)) == {"capture", "first", "second", WAIT, "sink:out"}


def test_stages_need_no_pipeline(parts: Any) -> None:
    source, stage, sink = parts.Source(), parts.Stage(parts.Behaviour()), parts.Sink()
    for frame in source:
        sink.write(stage.process(frame))
    assert sink.written == list(range(12))


def test_without_steps_the_sinks_get_the_frames(parts: Any) -> None:
    sink = parts.Sink()
    parts.pipeline(parts.Source(), [], [sink])[0].run()
    assert sink.written == list(range(12))


def test_without_sinks_the_frames_are_worked_on_all_the_same(parts: Any) -> None:
    does = parts.Behaviour()
    parts.pipeline(parts.Source(), [parts.step(does)], [])[0].run()
    assert does.count("process") == 12


def test_what_a_stage_swallows_goes_no_further(parts: Any) -> None:
    sink, after = parts.Sink(), parts.Behaviour()

    def make() -> list[Stage]:
        return [Named("odd", lambda f: f if f.index % 2 else None), parts.Stage(after)]

    pipeline, info = parts.pipeline(parts.Source(), [Step("odd", make, workers=3)], [sink])
    pipeline.run()
    assert sink.written == [1, 3, 5, 7, 9, 11]
    assert after.count("process") == 6
    assert info.latency.drops == {}


def test_a_value_needs_nothing_but_itself(parts: Any) -> None:
    got: list[int] = []

    class Numbers(parts.Sink):  # type: ignore[misc, name-defined]
        def write(self, picture: Any) -> None:
            got.append(picture)

    step = Step("index", lambda: Named("index", lambda frame: frame.index * 10))
    parts.pipeline(parts.Source(), [step], [Numbers()])[0].run()
    assert got == [index * 10 for index in range(12)]


@pytest.mark.parametrize("workers", [1, 3])
def test_drop_oldest_gives_the_newest_in_order_and_counts_the_rest(
    parts: Any, workers: int
) -> None:
    num_frames = 60
    last_is_shown = threading.Event()
    quick, slow = parts.Sink(name="quick"), parts.Sink(name="slow")
    quick.does.hooks = {"write": lambda i: last_is_shown.set() if i == num_frames - 1 else None}
    slow.does.hooks = {"write": lambda _: last_is_shown.wait(5)}
    pipeline, info = parts.pipeline(
        parts.Source(parts.Behaviour(delay_s=0.002, num_frames=num_frames), live=True),
        [parts.step(workers=workers)],
        [slow, quick],
    )
    pipeline.run()
    drops = info.latency.drops
    for sink in (slow, quick):
        assert sink.written == sorted(set(sink.written))
        assert sink.written[-1] == num_frames - 1
        lost = drops.get("step", 0) + drops.get(f"sink:{sink.name}", 0)
        assert len(sink.written) + lost == num_frames
    assert len(slow.written) <= 2
    assert set(drops) <= {"step", "sink:slow", "sink:quick"}


@pytest.mark.parametrize(
    ("policy", "live", "drops"),
    [("auto", True, True), ("auto", False, False), ("block", True, False),
     ("drop_oldest", False, True)],
)  # fmt: skip
def test_policy(parts: Any, policy: Policy, live: bool, drops: bool) -> None:
    sink = parts.Sink(parts.Behaviour(delay_s=0.01))
    pipeline, info = parts.pipeline(parts.Source(live=live), [], [sink], policy=policy)
    pipeline.run()
    assert bool(info.latency.drops) is drops
    assert (sink.written != list(range(12))) is drops


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [({"policy": "newest"}, "drop_oldest"), ({"depth": 3}, "1 or 2"), ({"depth": 0}, "1 or 2"),
     ({"join_timeout_s": 0.0}, "more than 0")],
)  # fmt: skip
def test_settings_out_of_range(parts: Any, settings: dict[str, Any], allowed: str) -> None:
    with pytest.raises(ConfigError, match=allowed):
        parts.pipeline(parts.Source(), [], [], **settings)


def test_a_step_needs_a_worker(parts: Any) -> None:
    with pytest.raises(ConfigError, match="1 worker or more; got 0"):
        parts.step(workers=0)


def test_two_sinks_cannot_both_have_the_main_thread(parts: Any) -> None:
    with pytest.raises(PipelineError, match="main thread"):
        parts.pipeline(parts.Source(), [], [parts.Window(), parts.Window()])


def test_a_pipeline_runs_once(parts: Any) -> None:
    pipeline, _ = parts.pipeline(parts.Source(), [], [parts.Sink()])
    pipeline.run()
    with pytest.raises(PipelineError, match="once"):
        pipeline.run()
    with pytest.raises(PipelineError, match="once"):
        next(pipeline.pictures())


def test_sinks_of_the_same_name_are_told_apart(parts: Any) -> None:
    pipeline, info = parts.pipeline(parts.Source(), [], [parts.Sink(), parts.Sink()])
    pipeline.run()
    assert {"sink:fake", "sink:fake #2"} <= set(info.latency.stages())


def test_a_window_is_served_by_the_calling_thread_and_looks_at_its_keys(parts: Any) -> None:
    window = parts.Window(parts.Behaviour())
    other = parts.Sink(parts.Behaviour(), "other")
    source = parts.Source(parts.Behaviour(delay_s=0.05, num_frames=4))
    parts.pipeline(source, [parts.step()], [window, other])[0].run()
    here = threading.current_thread().name
    assert window.does.threads("open", "write", "idle", "close") == {here}
    assert here not in other.does.threads("open", "write", "close")
    assert window.does.count("idle") > 3
    assert window.written == other.written == [0, 1, 2, 3]


def test_a_paused_file_is_not_read_and_steps_frame_by_frame(
    parts: Any, in_background: InBackground
) -> None:
    sink, source = parts.Sink(), parts.Source()
    pipeline, info = parts.pipeline(source, [parts.step()], [sink])
    info.controls.pause()
    in_background(pipeline.run)
    wait_until(lambda: sink.does.count("open") == 1)
    for num_steps in (1, 2, 3):
        info.controls.step()
        wait_until(lambda: len(sink.written) == num_steps)  # noqa: B023
        time.sleep(0.02)
        assert source.num_read == num_steps
    info.controls.pause(False)
    wait_until(lambda: len(sink.written) == 12)
    assert sink.written == list(range(12))


def test_a_paused_live_source_goes_on_and_its_frames_are_no_drops(
    parts: Any, in_background: InBackground
) -> None:
    sink = parts.Sink()
    source = parts.Source(parts.Behaviour(delay_s=0.002, num_frames=10**6), live=True)
    pipeline, info = parts.pipeline(source, [parts.step()], [sink])
    info.controls.pause()
    thread = in_background(pipeline.run)
    wait_until(lambda: source.num_read > 10)
    assert sink.written == []
    info.controls.step()
    wait_until(lambda: len(sink.written) == 1)
    wait_until(lambda: source.num_read > sink.written[0] + 10)
    assert len(sink.written) == 1
    assert sink.written[0] >= 10
    info.controls.stop()
    thread.join(5)
    assert info.latency.drops == {}


@pytest.mark.parametrize("policy", ["block", "drop_oldest"])
@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("workers", [1, 3])
def test_frames_do_not_pile_up(parts: Any, policy: Policy, loop: bool, workers: int) -> None:
    alive, most, lock = 0, 0, threading.Lock()

    def gone() -> None:
        nonlocal alive
        with lock:
            alive -= 1

    class Tracked(parts.Source):  # type: ignore[misc, name-defined]
        def read(self) -> Frame | None:
            nonlocal alive, most
            frame: Frame | None = super().read()
            if frame is not None:
                assert isinstance(frame.image_bgr, np.ndarray)
                weakref.finalize(frame.image_bgr, gone)
                with lock:
                    alive += 1
                    most = max(most, alive)
            return frame

    first_is_slow = parts.Behaviour(hooks={"process": lambda i: time.sleep(0.02 * (i % 7 == 0))})
    pipeline, _ = parts.pipeline(
        Tracked(parts.Behaviour(num_frames=100)),
        [parts.step(first_is_slow, workers=workers), parts.step(name="second")],
        [parts.Sink(parts.Behaviour(delay_s=0.002), "1"), parts.Sink(name="2")],
        policy=policy,
    )
    if loop:
        for _ in pipeline.pictures():
            time.sleep(0.001)
    else:
        pipeline.run()
    assert alive <= 1  # the loop's variable
    assert most <= pipeline.max_frames_in_flight
    assert policy == "drop_oldest" or most > pipeline.max_frames_in_flight // 2


def test_the_shares_of_the_frame_age_add_up(parts: Any) -> None:
    does = parts.Behaviour(delay_s=0.005)
    pipeline, info = parts.pipeline(parts.Source(), [parts.step(does)], [parts.Sink()])
    pipeline.run()
    times, shares = info.latency, info.latency.shares()
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["fake"] == pytest.approx(times.stages()["fake"].mean / times.age().mean)
    assert shares["fake"] + shares[WAIT] > 0.8
    trace = times.trace(7)
    assert trace["fake"] >= 5
    assert trace[WAIT] >= 0


def test_ages_are_of_the_first_sink_that_takes_a_picture(parts: Any) -> None:
    last_is_shown = threading.Event()
    quick = parts.Sink(
        parts.Behaviour(hooks={"write": lambda i: last_is_shown.set() if i == 11 else None}),
        "quick",
    )
    slow = parts.Sink(parts.Behaviour(hooks={"write": lambda _: last_is_shown.wait(5)}), "slow")
    pipeline, info = parts.pipeline(parts.Source(live=True), [], [slow, quick])
    pipeline.run()
    assert slow.written[-1] == quick.written[-1] == 11
    assert info.latency.age().count == len({*slow.written, *quick.written})


def test_the_pipeline_costs_little(parts: Any) -> None:
    num_frames = 2000
    step = Step("pass", lambda: Named("pass", lambda item: item))
    pipeline, _ = parts.pipeline(
        parts.Source(parts.Behaviour(num_frames=num_frames)), [step, step], [parts.Sink()]
    )
    cpu_s = time.process_time()
    pipeline.run()
    per_item_ms = (time.process_time() - cpu_s) * 1e3 / num_frames
    assert (
        per_item_ms < 2
    )  # about 0.1 on a quiet machine; ten times that would be a loop that spins


def test_frames_that_a_source_left_out_are_counted_among_the_drops(parts: Any) -> None:
    """Those before the first read are not: nobody was there to read them."""
    source = parts.Source(parts.Behaviour(num_frames=4), live=True)
    replaced = iter([7, 2, 0, 1])
    source.take_replaced = lambda: next(replaced)
    pipeline, info = parts.pipeline(source, [], [parts.Sink()], policy="block")
    pipeline.run()
    assert info.latency.drops == {"capture": 3}
