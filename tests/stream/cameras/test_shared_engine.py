"""Several callers on one engine: whose turn it is, what goes together, what happens at the end."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rtseg.backends.base import Engine, EngineInfo, Parallelism
from rtseg.classes import CAMVID
from rtseg.errors import EngineError
from rtseg.export.eager import eager_engine
from rtseg.networks.trained import TrainedNetwork
from rtseg.stream.cameras.shared_engine import SharedEngine

HW = (4, 8)
Pictures = npt.NDArray[np.uint8]


class EchoEngine(Engine):
    """Gives back a picture's first channel, and notes what came with what."""

    def __init__(self, batch: int = 1, takes_s: float = 0.0) -> None:
        self.info = EngineInfo("echo", "fake", "fp32", "cpu", CAMVID, HW, batch)
        self.takes_s = takes_s
        self.calls: list[list[int]] = []
        self.num_closed = self.num_running = self.most_running = 0
        self.fail_at: int | None = None
        self._lock = threading.Lock()

    def infer(self, images_bgr: Pictures) -> npt.NDArray[Any]:
        assert images_bgr.shape == (self.info.batch, *HW, 3)
        with self._lock:
            self.calls.append([int(image[0, 0, 0]) for image in images_bgr])
            self.num_running += 1
            self.most_running = max(self.most_running, self.num_running)
        time.sleep(self.takes_s)
        with self._lock:
            self.num_running -= 1
        if self.fail_at is not None and len(self.calls) >= self.fail_at:
            raise EngineError("the device is gone")
        return images_bgr[..., 0].copy()

    def close(self) -> None:
        self.num_closed += 1


def picture(value: int) -> Pictures:
    return np.full((1, *HW, 3), value, np.uint8)


def run_all(works: Sequence[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def counter(lane: Engine, value: int, until_s: float, counts: Counter[int]) -> Callable[[], None]:
    def work() -> None:
        while time.monotonic() < until_s:
            output = lane.infer(picture(value))
            assert output.shape == (1, *HW)
            assert (output == value).all()
            counts[value] += 1

    return work


@pytest.mark.parametrize("batch", [1, 3])
def test_every_caller_gets_what_came_of_his_own_picture(batch: int) -> None:
    engine = EchoEngine(batch, takes_s=0.001)
    with SharedEngine(engine, workers=2) as shared:
        assert shared.info == replace(engine.info, batch=1)
        counts: Counter[int] = Counter()
        until_s = time.monotonic() + 0.3
        run_all([counter(shared.lane(), 1 + n, until_s, counts) for n in range(5)])
    assert len(counts) == 5
    assert engine.num_closed == 1


def test_a_caller_with_many_threads_gets_no_more_than_one_with_a_single_one() -> None:
    engine = EchoEngine(takes_s=0.004)
    counts: Counter[int] = Counter()
    with SharedEngine(engine, workers=1) as shared:
        greedy, modest = shared.lane(), shared.lane()
        until_s = time.monotonic() + 0.8
        run_all(
            [counter(greedy, 1, until_s, counts) for _ in range(6)]
            + [counter(modest, 2, until_s, counts) for _ in range(2)]
        )
    assert counts[2] > 20
    assert abs(counts[1] - counts[2]) <= 0.1 * counts[2] + 6  # the last calls of six threads


def test_a_slow_caller_waits_for_one_call_of_each_other_lane_at_most() -> None:
    engine = EchoEngine(takes_s=0.005)
    with SharedEngine(engine, workers=1) as shared:
        lanes = [shared.lane() for _ in range(3)]
        until_s = time.monotonic() + 0.5

        def now_and_then() -> None:
            for _ in range(8):
                time.sleep(0.05)
                before = len(engine.calls)
                lanes[0].infer(picture(9))
                assert engine.calls.index([9], before) - before <= 3

        counts: Counter[int] = Counter()
        busy = [counter(lane, n, until_s, counts) for n, lane in enumerate(lanes) if n]
        failures: list[BaseException] = []

        def watched() -> None:
            try:
                now_and_then()
            except BaseException as error:
                failures.append(error)

        run_all([watched, *busy, *busy])
    assert not failures


@pytest.mark.parametrize("workers", [1, 2])
def test_no_more_calls_are_made_at_a_time_than_the_engine_stands(workers: int) -> None:
    engine = EchoEngine(takes_s=0.01)
    counts: Counter[int] = Counter()
    with SharedEngine(engine, workers) as shared:
        until_s = time.monotonic() + 0.2
        run_all([counter(shared.lane(), n, until_s, counts) for n in range(4)])
    assert engine.most_running == workers


def test_a_batch_is_filled_with_one_picture_of_each_lane() -> None:
    engine = EchoEngine(batch=4, takes_s=0.01)
    counts: Counter[int] = Counter()
    with SharedEngine(engine, workers=1) as shared:
        until_s = time.monotonic() + 0.6
        run_all([counter(shared.lane(), 1 + n, until_s, counts) for n in range(4)])
    full = sum(len(set(call)) == 4 for call in engine.calls)
    assert full > 0.5 * len(engine.calls), "the pictures that wait go together"


def test_one_alone_does_not_wait_for_company() -> None:
    engine = EchoEngine(batch=4, takes_s=0.2)
    with SharedEngine(engine, workers=1) as shared:
        lane, _others = shared.lane(), [shared.lane() for _ in range(3)]
        lane.infer(picture(1))
        time.sleep(0.1)  # nobody is expected back so long after a call
        start_s = time.monotonic()
        lane.infer(picture(2))
        assert time.monotonic() - start_s < 0.2 + 0.15
    assert engine.calls == [[1] * 4, [2] * 4]


def test_a_failure_reaches_all_whose_pictures_were_in_the_call_and_the_rest_goes_on() -> None:
    engine = EchoEngine()
    with SharedEngine(engine, workers=1) as shared:
        lane = shared.lane()
        engine.fail_at = 1
        with pytest.raises(EngineError, match="the device is gone"):
            lane.infer(picture(1))
        engine.fail_at = None
        assert (shared.lane().infer(picture(2)) == 2).all()


def test_closing_sends_away_who_waits_and_lets_nobody_in() -> None:
    engine = EchoEngine(takes_s=0.3)
    shared = SharedEngine(engine, workers=1)
    lanes = [shared.lane() for _ in range(2)]
    errors: list[str] = []

    def call(lane: Engine) -> None:
        try:
            lane.infer(picture(1))
        except EngineError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=call, args=(lane,)) for lane in lanes]
    threads[0].start()
    while not engine.calls:
        time.sleep(0.005)
    threads[1].start()
    time.sleep(0.05)
    shared.close()
    for thread in threads:
        thread.join(5)
    assert len(errors) == 1
    assert "was closed while a picture waited for it" in errors[0]
    with pytest.raises(EngineError, match="is closed"):
        lanes[0].infer(picture(1))


def test_a_picture_of_another_size_is_refused_before_its_turn() -> None:
    with SharedEngine(EchoEngine(), workers=1) as shared:
        lane = shared.lane()
        with pytest.raises(EngineError, match="takes BGR pictures uint8"):
            lane.infer(np.zeros((2, *HW, 3), np.uint8))


def test_real_engine_of_a_batch_gives_the_same_labels_as_one_picture_at_a_time(
    nearest_colour: TrainedNetwork,
) -> None:
    hw, threads = (32, 48), Parallelism(1, 1)
    images = np.random.default_rng(0).integers(0, 256, (6, 1, *hw, 3), np.uint8)
    alone = eager_engine(nearest_colour, hw, "fp32", "labels", "cpu", threads)
    batched = eager_engine(nearest_colour, hw, "fp32", "labels", "cpu", threads, batch=4)
    outputs: dict[int, npt.NDArray[Any]] = {}
    with alone, SharedEngine(batched, workers=1) as shared:
        lanes = [shared.lane() for _ in images]

        def infer(number: int) -> Callable[[], None]:
            return lambda: outputs.update({number: lanes[number].infer(images[number])})

        run_all([infer(number) for number in range(len(images))])
        for number, image in enumerate(images):
            np.testing.assert_array_equal(outputs[number], alone.infer(image))
