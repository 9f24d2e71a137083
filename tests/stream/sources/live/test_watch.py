"""The watchdog of live sources: its limits, its waits, and threads that hang in a driver."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from rtseg.errors import SourceError
from rtseg.stream.events import Events
from rtseg.stream.sources import Capture, ReconnectConfig, Shot, SourceConfig
from rtseg.stream.sources.live._live_clock import LiveClock
from rtseg.stream.sources.live.back_off import BackOff
from rtseg.stream.sources.live.left_behind import MAX_CONNECTIONS
from rtseg.stream.sources.live.reconnecting import ReconnectingCapture
from rtseg.stream.sources.live.slot import Slot
from rtseg.stream.sources.live.stall_limit import StallLimit

QUICK = ReconnectConfig(first_s=0.01, longest_s=0.02, stall_s=0.1)


def limit_after(gaps_s: list[float]) -> float:
    limit, now_ns = StallLimit(2.0, 5.0), 0
    for gap_s in (0.0, *gaps_s):
        now_ns += int(gap_s * 1e9)
        limit.add(now_ns)
    return limit.seconds


@pytest.mark.parametrize(
    ("gaps_s", "limit_s"),
    [
        ([], 5.0),
        ([1.0] * 2, 5.0),
        ([1 / 30] * 100, 2.0),
        ([1.0] * 10, 5.0),
        ([2.0] * 10, 10.0),
        ([10.0] * 10, 50.0),
        ([0.0, 0.0, 0.0, 0.4] * 30, 2.0),
        ([0.0, 0.0, 0.0, 4.0] * 20, 5.0),
    ],
)
def test_a_silence_is_long_by_the_sources_own_rate(gaps_s: list[float], limit_s: float) -> None:
    assert limit_after(gaps_s) == pytest.approx(limit_s, rel=0.1)


def test_waits_double_up_to_the_longest_and_begin_again() -> None:
    back_off = BackOff(ReconnectConfig(jitter=0.0))
    assert [back_off.next_s() for _ in range(7)] == [0.5, 1, 2, 4, 8, 10, 10]
    back_off.reset()
    assert back_off.next_s() == 0.5
    spread = [BackOff(ReconnectConfig(jitter=0.2)).next_s() for _ in range(200)]
    assert 0.4 <= min(spread) < 0.45 < 0.55 < max(spread) <= 0.6


def test_times_of_connections_are_joined_by_the_time_between_them() -> None:
    clock = LiveClock()
    assert [clock.time_s(t, int(t * 1e9)) for t in (0.0, 0.5)] == [0.0, 0.5]
    clock.begin()
    assert clock.time_s(100.0, int(3.5e9)) == pytest.approx(3.5)
    assert clock.shifted_s(100.25) == pytest.approx(3.75)
    assert clock.time_s(99.0, int(3.6e9)) > 3.5, "it never goes back"


def test_a_slot_gives_the_newest_or_every_one() -> None:
    newest: Slot[int] = Slot(newest=True)
    for item in range(3):
        newest.put(item, lambda: False)
    assert newest.take(0) == 2
    assert newest.take(0) is None
    assert newest.take_replaced() == 2
    every: Slot[int] = Slot(newest=False)
    putting = threading.Thread(target=lambda: [every.put(i, lambda: False) for i in range(3)])
    putting.start()
    assert [every.take(5) for _ in range(3)] == [0, 1, 2]
    putting.join()
    assert every.take_replaced() == 0


class Driver(Capture):
    """Gives a picture each hundredth of a second, and hangs after some, as a driver does."""

    live = True
    num_open = 0

    def __init__(self, num_pictures: int, hang: threading.Event) -> None:
        self.name, self.hw, self.fps = "driver", (2, 2), 100.0
        self._left, self._hang = num_pictures, hang
        self._num = 0
        Driver.num_open += 1

    @classmethod
    def matches(cls, uri: str) -> bool:
        return False

    def grab(self) -> float | None:
        if self._num >= self._left:
            self._hang.wait(30)
            return None
        time.sleep(0.01)
        self._num += 1
        return self._num / 100

    def retrieve(self) -> Shot:
        return Shot(np.zeros((2, 2, 3), np.uint8), time.monotonic_ns())

    def close(self) -> None:
        Driver.num_open -= 1


@pytest.fixture
def hang() -> Iterator[threading.Event]:
    Driver.num_open = 0
    event = threading.Event()
    yield event
    event.set()


def wait_for(what: Callable[[], Any]) -> None:
    end_s = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end_s
        time.sleep(0.005)


def test_a_thread_that_hangs_in_a_driver_is_named_and_left_behind(hang: threading.Event) -> None:
    openings: list[float] = []

    def open_driver(read_timeout_s: float) -> Capture:
        openings.append(read_timeout_s)
        return Driver(20 if len(openings) == 1 else 10**6, hang)

    events = Events()
    config = SourceConfig(uri="0", timeout_s=0.5, reconnect=QUICK)
    capture = ReconnectingCapture(config, open_driver, events)
    assert capture.first() is capture
    wait_for(lambda: "back" in [event.kind for event in events.since()])
    kinds = {event.kind: event for event in events.since()}
    assert "thread rtseg-receive-0 hangs in reading" in kinds["left behind"].text
    assert kinds["lost"].values == {"reason": "stalled"}
    assert openings == [1.0, pytest.approx(0.1)], "the second one knows the rate"
    assert capture.grab() is not None
    capture.close()
    assert capture.grab() is None
    hang.set()
    wait_for(lambda: Driver.num_open == 0)


def test_no_more_than_a_few_threads_hang_at_a_time(hang: threading.Event) -> None:
    config = SourceConfig(uri="0", timeout_s=0.1, reconnect=QUICK)
    capture = ReconnectingCapture(config, lambda _: Driver(10, hang), Events())
    capture.first()
    wait_for(lambda: Driver.num_open == MAX_CONNECTIONS)
    time.sleep(0.3)
    assert Driver.num_open == MAX_CONNECTIONS
    hang.set()  # they come back, and close
    wait_for(lambda: capture.reception is not None and capture.reception.num_losses > 4)
    capture.close()
    wait_for(lambda: Driver.num_open == 0)


def test_a_mistake_in_the_code_is_no_fault_of_the_source(hang: threading.Event) -> None:
    class Broken(Driver):
        def retrieve(self) -> Shot:
            raise ZeroDivisionError

    config = SourceConfig(uri="0", reconnect=QUICK)
    capture = ReconnectingCapture(config, lambda _: Broken(5, hang))
    capture.first()
    with pytest.raises(ZeroDivisionError):
        capture.grab()
    assert capture.grab() is None
    capture.close()


def test_an_opening_that_hangs_is_an_error(hang: threading.Event) -> None:
    def never(_: float) -> Capture:
        hang.wait(30)
        raise SourceError("late")

    config = SourceConfig(uri="0", timeout_s=0.01, reconnect=QUICK)
    begin_s = time.monotonic()
    with pytest.raises(SourceError, match="could not be opened for"):
        ReconnectingCapture(config, never).first()
    assert time.monotonic() - begin_s < 8
