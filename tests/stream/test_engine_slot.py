from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rtseg.backends.base import Engine, EngineInfo
from rtseg.classes import CAMVID
from rtseg.errors import EngineError
from rtseg.stream.engine_slot import EngineSlot


class Constant(Engine):
    """Says the same class everywhere; waits in the middle of a call where it is told to."""

    def __init__(self, label: int, hw: tuple[int, int] = (8, 12)) -> None:
        self.info = EngineInfo(f"constant-{label}", "eager", "fp32", "cpu", CAMVID, hw)
        self.label = label
        self.closed = 0
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def infer(self, images_bgr: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        assert not self.closed
        self.entered.set()
        assert self.go_on.wait(10)
        assert not self.closed
        return np.full(images_bgr.shape[:3], self.label, np.uint8)

    def close(self) -> None:
        self.closed += 1


PICTURE = np.zeros((1, 8, 12, 3), np.uint8)


def test_the_next_call_runs_on_the_new_engine() -> None:
    old, new = Constant(1), Constant(2)
    slot = EngineSlot(old)
    assert slot.infer(PICTURE).max() == 1
    slot.swap(new)
    assert slot.infer(PICTURE).max() == 2
    assert slot.info.model == "constant-2"
    assert (old.closed, new.closed) == (1, 0)
    slot.close()
    slot.close()
    assert (old.closed, new.closed) == (1, 1)


def test_a_call_under_way_ends_on_the_old_engine_which_is_closed_then() -> None:
    old, new = Constant(1), Constant(2)
    old.go_on.clear()
    slot = EngineSlot(old)
    results: list[int] = []
    caller = threading.Thread(target=lambda: results.append(int(slot.infer(PICTURE).max())))
    caller.start()
    assert old.entered.wait(10)
    slot.swap(new)
    assert not old.closed
    assert slot.infer(PICTURE).max() == 2
    old.go_on.set()
    caller.join()
    assert results == [1]
    assert old.closed == 1


def test_an_engine_of_another_size_is_refused_and_closed() -> None:
    slot, other = EngineSlot(Constant(1)), Constant(2, (16, 12))
    with pytest.raises(EngineError, match="input_hw"):
        slot.swap(other)
    assert other.closed == 1
    assert slot.infer(PICTURE).max() == 1


def test_an_engine_that_comes_too_late_is_closed() -> None:
    old, late = Constant(1), Constant(2)
    slot = EngineSlot(old)
    slot.close()
    slot.swap(late)
    assert (old.closed, late.closed) == (1, 1)


def test_many_callers_and_many_swaps_close_each_engine_once() -> None:
    engines = [Constant(label) for label in range(8)]
    slot = EngineSlot(engines[0])
    done = threading.Event()
    failures: list[BaseException] = []

    def call() -> None:
        try:
            while not done.is_set():
                slot.infer(PICTURE)
        except BaseException as error:
            failures.append(error)

    callers = [threading.Thread(target=call) for _ in range(3)]
    for caller in callers:
        caller.start()
    for engine in engines[1:]:
        slot.swap(engine)
        assert engine.entered.wait(10)
    done.set()
    for caller in callers:
        caller.join()
    slot.close()
    assert not failures
    assert [engine.closed for engine in engines] == [1] * 8
