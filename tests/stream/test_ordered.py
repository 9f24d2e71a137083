"""Results of several workers come out in the order of their items, and no worker waits for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtseg.stream.channel import Cancelled, Channel, Item
from rtseg.stream.ordered import Ordered

InBackground = Callable[[Callable[[], object]], threading.Thread]

pytestmark = pytest.mark.usefixtures("no_thread_left")


def item(index: int) -> Item:
    return Item(index, 0, index)


def put(ordered: Ordered, place: int, result: Item | None) -> None:
    ordered.put(place, result)
    ordered.hand_on()


@settings(deadline=None, max_examples=200)
@given(data=st.data(), num_workers=st.integers(1, 5))
def test_any_order_that_workers_can_finish_in(data: st.DataObject, num_workers: int) -> None:
    """Workers hold the next places; any of them whose place is near enough may be done first."""
    out: list[int] = []
    ordered = Ordered(num_workers, lambda result: out.append(result.index), lambda: None)
    num_items = data.draw(st.integers(0, 30))
    swallowed = data.draw(st.sets(st.integers(0, 29)))
    held = list(range(min(num_workers, num_items)))
    done: set[int] = set()
    while held:
        due = min(set(range(num_items + 1)) - done)
        place = data.draw(st.sampled_from([p for p in held if p < due + num_workers]))
        put(ordered, place, None if place in swallowed else item(place))
        done.add(place)
        held.remove(place)
        following = max([*held, *done]) + 1
        if following < num_items:
            held.append(following)
        due = min(set(range(num_items + 1)) - done)
        assert out == [place for place in range(due) if place not in swallowed]


def test_who_is_too_far_ahead_waits_for_its_turn(in_background: InBackground) -> None:
    out: list[int] = []
    ordered = Ordered(2, lambda result: out.append(result.index), lambda: None)
    put(ordered, 1, item(1))
    thread = in_background(lambda: put(ordered, 2, item(2)))
    thread.join(0.05)
    assert thread.is_alive()
    put(ordered, 0, item(0))
    thread.join(5)
    assert out == [0, 1, 2]


def test_others_may_go_on_while_one_hands_on(in_background: InBackground) -> None:
    handing_on, go = threading.Event(), threading.Event()
    out: list[int] = []

    def use(result: Item) -> None:
        handing_on.set()
        go.wait(5)
        out.append(result.index)

    ordered = Ordered(3, use, lambda: None)
    thread = in_background(lambda: put(ordered, 0, item(0)))
    assert handing_on.wait(5)
    put(ordered, 2, item(2))
    put(ordered, 1, item(1))
    assert out == []
    go.set()
    thread.join(5)
    assert out == [0, 1, 2]


def test_cancel_wakes_who_waits(in_background: InBackground) -> None:
    ordered = Ordered(1, lambda _: None, lambda: None)
    outcomes: list[str] = []

    def put_late() -> None:
        with pytest.raises(Cancelled):
            ordered.put(4, item(4))
        outcomes.append("cancelled")

    thread = in_background(put_late)
    time.sleep(0.02)
    ordered.cancel()
    thread.join(5)
    assert outcomes == ["cancelled"]
    with pytest.raises(Cancelled):
        ordered.put(0, item(0))


def test_the_end_is_told_once_by_the_last_worker() -> None:
    ends: list[int] = []
    ordered = Ordered(3, lambda _: None, lambda: ends.append(1))
    ordered.leave()
    ordered.leave()
    assert ends == []
    ordered.leave()
    assert ends == [1]


@settings(deadline=None, max_examples=20)
@given(
    num_workers=st.integers(1, 5), depth=st.integers(1, 2),
    delays_ms=st.lists(st.sampled_from([0.0, 0.0, 0.1, 1.0]), max_size=40),
)  # fmt: skip
def test_between_two_channels_with_real_workers(
    num_workers: int, depth: int, delays_ms: list[float]
) -> None:
    inlet, outlet = Channel(depth), Channel(depth)
    ordered = Ordered(num_workers, outlet.put, outlet.end)

    def work() -> None:
        while (taken := inlet.take()) is not None:
            time.sleep(delays_ms[taken[1].index] / 1e3)
            put(ordered, *taken)
        ordered.leave()

    def fill() -> None:
        for index in range(len(delays_ms)):
            inlet.put(item(index))
        inlet.end()

    threads = [threading.Thread(target=work) for _ in range(num_workers)]
    for thread in [*threads, feeder := threading.Thread(target=fill)]:
        thread.start()
    out = []
    while (taken := outlet.take()) is not None:
        out.append(taken[1].index)
    for thread in [*threads, feeder]:
        thread.join(10)
    assert out == list(range(len(delays_ms)))
