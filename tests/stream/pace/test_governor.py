"""The governor with a simulated machine: a network that slows down and recovers."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise, takewhile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtseg.stream.pace.governor import Change, Gear, Governor

COSTS_S = (0.028, 0.019, 0.0125, 0.008)
"""What a frame takes at each size on the machine at its best, seconds."""
Slowdown = Callable[[float], float]


@dataclass
class Machine:
    """Feeds a governor as a stream would: drops, the newest frame first, one worker.

    Args:
        governor: what is tested.
        slowdown: time → by what factor steps take longer.
        source_fps: rate of the source.
        noise: by what part a step's time varies.
        costs_s: of each size.
    """

    governor: Governor
    slowdown: Slowdown = lambda now_s: 1.0
    source_fps: float = 30.0
    noise: float = 0.0
    costs_s: tuple[float, ...] = COSTS_S
    seed: int = 0
    now_s: float = 0.0
    changes: list[tuple[float, Change]] = field(default_factory=list)
    shown_s: deque[float] = field(default_factory=lambda: deque(maxlen=600))
    _index: int = 0
    _shown_fps: float | None = None

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        for rung, cost_s in enumerate(self.costs_s):
            self.governor.calibrate(rung, cost_s)
        self.governor.begin(self.now_s)

    def run(self, until_s: float) -> Machine:
        """Run on to a time."""
        while self.now_s < until_s:
            newest = math.floor(self.now_s * self.source_fps)
            self._index = max(self._index + 1, newest)
            captured_s = self._index / self.source_fps
            self.now_s = max(self.now_s, captured_s)
            self.governor.arrived(self._index, captured_s)
            if self.governor.admits(self._index):
                self._step()
        return self

    def _step(self) -> None:
        rung = self.governor.gear.rung
        spread = 1 + self.noise * (2 * self._random.random() - 1)
        step_s = self.costs_s[rung] * self.slowdown(self.now_s) * spread
        self.now_s += step_s
        self.shown_s.append(self.now_s)
        if len(self.shown_s) % 8 == 0:
            self._shown_fps = self.fps() or None
        change = self.governor.stepped(rung, step_s, self.now_s, self._shown_fps)
        if change is not None:
            self.changes.append((self.now_s, change))

    def fps(self, over_s: float = 2.0) -> float:
        """Return the rate of the last seconds."""
        late = takewhile(lambda t: t > self.now_s - over_s, reversed(self.shown_s))
        recent = list(late)[::-1]
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 2 else 0.0


def machine(target_fps: float = 30.0, may_skip: bool = True, **settings: object) -> Machine:
    governor = Governor([4.0, 2.6, 1.6, 1.0], target_fps, may_skip=may_skip)
    return Machine(governor, **settings)  # type: ignore[arg-type]


def most_in_a_minute(times_s: list[float]) -> int:
    window: deque[float] = deque()
    most = 0
    for time_s in times_s:
        window.append(time_s)
        while window[0] < time_s - 60:
            window.popleft()
        most = max(most, len(window))
    return most


def test_a_machine_that_is_fast_enough_stays_at_the_largest_size() -> None:
    run = machine(noise=0.1).run(60)
    assert run.governor.gear == Gear(0)
    assert not run.changes


def test_the_first_size_is_the_largest_that_is_fast_enough() -> None:
    for factor, rung in ((1.0, 0), (1.5, 1), (2.2, 2), (9.0, 3)):
        run = machine(costs_s=tuple(factor * cost for cost in COSTS_S))
        assert run.governor.gear == Gear(rung)


def test_it_goes_down_within_two_seconds_and_keeps_the_rate() -> None:
    run = machine(slowdown=lambda now_s: 1.0 if now_s < 10 else 2.0, noise=0.1).run(30)
    (at_s, change), *others = run.changes
    assert not others
    assert 10 < at_s < 12
    assert (change.old, change.new, change.is_down) == (Gear(0), Gear(2), True)
    assert change.load > 1
    assert change.wanted_fps == pytest.approx(30, rel=0.02)
    assert run.fps(10) == pytest.approx(30, rel=0.02)


def test_it_comes_back_up_one_size_at_a_time_when_the_machine_recovers() -> None:
    run = machine(slowdown=lambda now_s: 2.0 if 10 < now_s < 30 else 1.0, noise=0.1).run(60)
    rungs = [change.new.rung for _, change in run.changes]
    assert rungs == [2, 1, 0]
    assert [change.is_down for _, change in run.changes] == [True, False, False]
    assert run.changes[1][0] > 30 + 5
    assert run.changes[2][0] - run.changes[1][0] > 5
    assert run.changes[2][0] < 50


def test_frames_are_left_out_only_when_the_smallest_size_is_too_slow() -> None:
    run = machine(slowdown=lambda now_s: 6.0 if now_s > 10 else 1.0).run(40)
    gear = run.governor.gear
    assert gear.rung == 3
    assert gear.share == pytest.approx(2 / 3)  # 48 ms a frame: 20.8 a second
    assert run.fps(10) == pytest.approx(20, rel=0.05)
    assert run.governor.num_skipped > 0


def test_what_is_left_out_is_spread_evenly() -> None:
    governor = Governor([1.0], 30.0)
    governor._place = [gear.share for gear in governor.gears].index(1 / 3)
    taken = [index for index in range(300) if governor.admits(index)]
    assert {later - earlier for earlier, later in pairwise(taken)} == {3}
    governor._place = [gear.share for gear in governor.gears].index(2 / 3)
    taken = [index for index in range(300, 600) if governor.admits(index)]
    assert len(taken) == pytest.approx(200, abs=2)


def test_a_film_loses_no_frame() -> None:
    run = machine(may_skip=False, slowdown=lambda now_s: 9.0).run(20)
    assert run.governor.gear == Gear(3)
    assert run.governor.num_skipped == 0


def test_a_source_that_gives_less_than_the_target_is_kept_up_with() -> None:
    run = machine(source_fps=12.5, slowdown=lambda now_s: 2.5).run(40)  # 70 of 80 ms
    assert run.governor.wanted_fps == pytest.approx(12.5, rel=0.02)
    assert run.governor.gear.rung == 0 or run.governor.gear.rung == 1
    assert run.fps(10) == pytest.approx(12.5, rel=0.03)


def test_of_a_faster_source_the_target_is_enough() -> None:
    run = machine(source_fps=60.0, slowdown=lambda now_s: 1.0).run(30)
    assert run.governor.gear == Gear(0)
    assert run.fps(10) >= 30 * 0.95


def test_left_out_frames_of_a_faster_source_are_counted_from_the_target() -> None:
    run = machine(source_fps=60.0, slowdown=lambda now_s: 6.0).run(40)
    assert run.governor.gear.share == pytest.approx(2 / 3)
    assert run.fps(10) == pytest.approx(20, rel=0.07)


def test_several_workers_have_several_times_the_time() -> None:
    one, four = (Governor([0.1, 0.05, 0.02], 30.0, workers=workers) for workers in (1, 4))
    one.begin(0.0)
    four.begin(0.0)
    assert (one.gear.rung, four.gear.rung) == (2, 0)


def test_a_size_that_does_not_hold_is_tried_later_and_later() -> None:
    """The larger size is always slower than what is known of it, as a cache does that is full."""
    governor = Governor([1.2, 1.0], 30.0)
    run = Machine(governor, costs_s=(0.012, 0.010))
    run.costs_s = (0.040, 0.020)
    run.run(400)
    ups = [at_s for at_s, change in run.changes if change.new == Gear(0)]
    gaps = [later - earlier for earlier, later in pairwise(ups)]
    assert len(gaps) >= 3
    assert all(later > 1.5 * earlier for earlier, later in pairwise(gaps))


def test_a_size_that_was_measured_in_a_busy_moment_is_tried_all_the_same() -> None:
    run = machine(costs_s=tuple(2 * cost for cost in COSTS_S))
    run.governor.calibrate(2, 1.0)
    run.governor.begin(0.0)
    assert run.governor.gear == Gear(3)
    run.run(60)
    assert run.governor.gear.rung < 3


def test_a_rate_that_is_missed_elsewhere_is_not_the_networks_fault() -> None:
    run = machine().run(10)
    governor = run.governor
    governor.calibrate(0, 0.01)
    for _ in range(60):
        run.now_s += 1 / 20
        assert governor.stepped(0, 0.01, run.now_s, shown_fps=20.0) is None
    assert governor.is_held_up_elsewhere(20.0)
    assert not governor.is_held_up_elsewhere(29.0)
    assert governor.gear == Gear(0)


def test_the_shares_of_the_time_are_those_of_the_sizes() -> None:
    run = machine(slowdown=lambda now_s: 2.0 if now_s > 10 else 1.0).run(40)
    shares = run.governor.time_shares()
    assert sum(shares) == pytest.approx(1)
    assert shares[0] == pytest.approx(11 / 40, abs=0.02)
    assert shares[2] == pytest.approx(29 / 40, abs=0.02)
    assert run.governor.num_changes == 1


@settings(max_examples=10, deadline=None, derandomize=True)
@given(
    slowdown=st.floats(0.3, 8),
    noise=st.floats(0, 0.3),
    target_fps=st.floats(10, 60),
    seed=st.integers(0, 99),
)
def test_under_a_steady_load_it_settles(
    slowdown: float, noise: float, target_fps: float, seed: int
) -> None:
    run = machine(target_fps, slowdown=lambda now_s: slowdown, noise=noise, seed=seed).run(100)
    times_s = [at_s for at_s, _ in run.changes]
    assert most_in_a_minute(times_s) <= 12
    assert len([at_s for at_s in times_s if at_s > 60]) <= 4
    wanted = min(target_fps, 30)
    possible = min(1 / (COSTS_S[3] * slowdown), wanted)
    assert run.fps(20) > 0.55 * possible, "the gears are up to 1.5 apart"


@settings(max_examples=10, deadline=None, derandomize=True)
@given(
    period_s=st.floats(1, 60),
    low=st.floats(0.5, 2),
    high=st.floats(1, 6),
    noise=st.floats(0, 0.3),
)
def test_a_load_that_comes_and_goes_does_not_make_it_flutter(
    period_s: float, low: float, high: float, noise: float
) -> None:
    def slowdown(now_s: float) -> float:
        return high if now_s % period_s > period_s / 2 else low

    run = machine(slowdown=slowdown, noise=noise).run(150)
    assert most_in_a_minute([at_s for at_s, _ in run.changes]) <= 20
