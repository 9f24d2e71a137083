"""The clocks: stages, ages, shares, rate and drops, told by hand."""

from __future__ import annotations

import threading

import pytest

from rtseg.stream.latency import MAX_TRACES, WAIT, Latency

MS = 1_000_000


def show(latency: Latency, index: int, at_ms: int) -> None:
    """Capture from 0 to 4 ms (stamped at 3), wait 1, infer 10, wait 2, draw 5: age 19 ms."""
    base_ns = at_ms * MS
    for stage, start_ms, end_ms in [("capture", 0, 4), ("infer", 5, 15), ("draw", 17, 22)]:
        latency.record(index, stage, base_ns + start_ms * MS, base_ns + end_ms * MS)
    latency.shown(index, base_ns + 3 * MS, base_ns + 22 * MS)


def test_stages_in_the_order_of_the_way() -> None:
    latency = Latency()
    show(latency, 0, at_ms=1000)
    assert list(latency.stages()) == ["capture", "infer", "draw", WAIT]
    assert latency.stages()["infer"].p50 == pytest.approx(10)
    assert latency.stages()[WAIT].max == 3
    assert latency.age().max == latency.age_ms == 19


def test_the_age_is_the_sum_of_its_parts() -> None:
    latency = Latency()
    for index in range(5):
        show(latency, index, at_ms=100 * index)
    assert latency.shares() == pytest.approx(
        {"capture": 1 / 19, "infer": 10 / 19, "draw": 5 / 19, WAIT: 3 / 19}
    )


def test_a_frames_trace() -> None:
    latency = Latency()
    show(latency, 3, at_ms=0)
    latency.record(3, "sink:out", 23 * MS, 25 * MS)
    assert latency.trace(3) == {"capture": 4, "infer": 10, "draw": 5, WAIT: 3, "sink:out": 2}
    assert latency.trace(4) == {}


def test_old_traces_are_forgotten_but_counted() -> None:
    latency = Latency()
    num_frames = MAX_TRACES + 100
    for index in range(num_frames):
        show(latency, index, at_ms=index)
    assert latency.trace(99) == {}
    assert latency.trace(100) != {}
    latency.record(5, "sink:slow", 0, MS)
    latency.shown(5, 0, MS)
    assert latency.trace(5) == {}
    assert latency.trace(num_frames - 1) != {}
    assert latency.age().count == num_frames
    assert latency.stages()["sink:slow"].count == 1


def test_only_the_first_sink_counts() -> None:
    latency = Latency()
    show(latency, 0, at_ms=0)
    latency.shown(0, 0, 5000 * MS)
    assert latency.age().count == 1
    assert latency.age_ms == 19
    assert latency.last_shown_ns == latency.first_shown_ns == 22 * MS
    assert latency.first_captured_ns == 3 * MS


def test_a_frame_without_stages_only_waits() -> None:
    latency = Latency()
    latency.shown(0, 10 * MS, 14 * MS)
    assert latency.trace(0) == {WAIT: 4}
    assert latency.shares() == {WAIT: 1}


def test_the_rate_follows_the_last_two_seconds() -> None:
    latency = Latency()
    assert latency.fps == 0
    latency.shown(0, 0, 0)
    assert latency.fps == 0
    for index in range(1, 101):  # 20 pictures a second for 5 s
        latency.shown(index, 0, index * 50 * MS)
    assert latency.fps == pytest.approx(20)
    for index in range(101, 201):  # then 50 a second for 2 s
        latency.shown(index, 0, (5000 + (index - 100) * 20) * MS)
    assert latency.fps == pytest.approx(50, rel=0.02)


def test_the_rate_of_a_very_slow_stream() -> None:
    latency = Latency()
    for index in range(4):
        latency.shown(index, 0, index * 5000 * MS)
    assert latency.fps == pytest.approx(0.2)


def test_before_the_first_picture() -> None:
    latency = Latency()
    assert latency.age().count == 0
    assert latency.age_ms == 0
    assert latency.first_captured_ns is latency.first_shown_ns is latency.last_shown_ns is None
    assert dict(latency.stages()) == dict(latency.drops) == dict(latency.shares()) == {}


def test_drops_are_counted_by_hop_from_any_thread() -> None:
    latency = Latency()

    def drop(hop: str) -> None:
        for _ in range(1000):
            latency.dropped(hop)

    threads = [threading.Thread(target=drop, args=(hop,)) for hop in ("infer", "infer", "draw")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert latency.drops == {"infer": 2000, "draw": 1000}
