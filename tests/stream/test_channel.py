"""The hand-over: order, bound, drops, and that nobody waits for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtseg.stream.channel import Cancelled, Channel, Item

InBackground = Callable[[Callable[[], object]], threading.Thread]

pytestmark = pytest.mark.usefixtures("no_thread_left")


def item(index: int) -> Item:
    return Item(index, 0, f"value {index}")


def drain(channel: Channel) -> list[int]:
    channel.end()
    indices = []
    while (taken := channel.take()) is not None:
        indices.append(taken[1].index)
    return indices


def is_waiting(thread: threading.Thread) -> bool:
    thread.join(0.05)
    return thread.is_alive()


def test_items_leave_in_order_with_their_place() -> None:
    channel = Channel(2)
    channel.put(item(7))
    channel.put(item(9))
    assert channel.take() == (0, item(7))
    assert channel.take() == (1, item(9))


def test_put_waits_for_room(in_background: InBackground) -> None:
    channel = Channel(1)
    channel.put(item(0))
    thread = in_background(lambda: channel.put(item(1)))
    assert is_waiting(thread)
    assert channel.take() == (0, item(0))
    thread.join(5)
    assert drain(channel) == [1]


def test_take_waits_for_an_item(in_background: InBackground) -> None:
    channel, taken = Channel(1), []
    thread = in_background(lambda: taken.append(channel.take()))
    assert is_waiting(thread)
    channel.put(item(3))
    thread.join(5)
    assert taken == [(0, item(3))]


def test_the_oldest_is_left_out_and_counted() -> None:
    drops: list[int] = []
    channel = Channel(2, lambda: drops.append(1))
    for index in range(5):
        channel.put(item(index))
    assert drain(channel) == [3, 4]
    assert len(drops) == 3


def test_what_waits_is_taken_after_the_end() -> None:
    channel = Channel(2)
    channel.put(item(0))
    channel.end()
    assert channel.take() == (0, item(0))
    assert channel.take() is None
    assert channel.take() is None
    with pytest.raises(Cancelled):
        channel.put(item(1))


@pytest.mark.parametrize("way", ["end", "cancel"])
def test_every_taker_learns_of_the_end(in_background: InBackground, way: str) -> None:
    channel, outcomes = Channel(1), []

    def take() -> None:
        try:
            outcomes.append(channel.take())
        except Cancelled:
            outcomes.append("cancelled")  # type: ignore[arg-type]

    threads = [in_background(take) for _ in range(3)]
    time.sleep(0.02)
    getattr(channel, way)()
    for thread in threads:
        thread.join(5)
    assert outcomes == [None if way == "end" else "cancelled"] * 3


def test_cancel_wakes_who_puts_and_throws_away_what_waits(in_background: InBackground) -> None:
    channel, outcomes = Channel(1), []
    channel.put(item(0))

    def put() -> None:
        with pytest.raises(Cancelled):
            channel.put(item(1))
        outcomes.append("cancelled")

    thread = in_background(put)
    time.sleep(0.02)
    channel.cancel()
    thread.join(5)
    assert outcomes == ["cancelled"]
    with pytest.raises(Cancelled):
        channel.take()
    with pytest.raises(Cancelled):
        channel.put(item(2))


def test_who_puts_goes_on_when_the_taker_has_left(in_background: InBackground) -> None:
    channel = Channel(1)
    channel.put(item(0))
    thread = in_background(lambda: channel.put(item(1)))
    assert is_waiting(thread)
    channel.leave()
    thread.join(5)
    for index in range(5):
        channel.put(item(index))


def test_waiting_without_taking() -> None:
    channel = Channel(1)
    assert not channel.wait(0.01)
    channel.put(item(0))
    assert channel.wait(None)
    assert channel.take() == (0, item(0))
    channel.end()
    assert channel.wait(None)


@settings(deadline=None, max_examples=30)
@given(
    depth=st.integers(1, 2),
    num_items=st.integers(0, 40),
    num_takers=st.integers(1, 4),
    drop=st.booleans(),
)
def test_nothing_is_lost_or_doubled_between_threads(
    depth: int, num_items: int, num_takers: int, drop: bool
) -> None:
    drops: list[int] = []
    channel = Channel(depth, (lambda: drops.append(1)) if drop else None)
    taken: dict[int, int] = {}

    def take_all() -> None:
        while (got := channel.take()) is not None:
            place, thing = got
            taken[place] = thing.index

    threads = [threading.Thread(target=take_all) for _ in range(num_takers)]
    for thread in threads:
        thread.start()
    for index in range(num_items):
        channel.put(item(index))
    channel.end()
    for thread in threads:
        thread.join(10)
    in_order = [taken[place] for place in range(len(taken))]
    assert in_order == sorted(set(in_order))
    assert len(in_order) + len(drops) == num_items
    assert num_items == 0 or in_order[-1] == num_items - 1
