"""The learning rate as a function of the step, and what validations do to it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtseg.training.schedule import Plateau, Schedule, ScheduleConfig


def test_poly_after_a_linear_warm_up() -> None:
    schedule = Schedule(ScheduleConfig(warmup_steps=3, warmup_from=0.25), 100)
    rise = [schedule.factor(step) / (1 - step / 100) ** 0.9 for step in range(4)]
    assert rise == pytest.approx([0.4375, 0.625, 0.8125, 1.0])
    assert schedule.factor(50) == pytest.approx(0.5**0.9)
    assert schedule.factor(100) == 0


def test_warm_up_is_a_twentieth_but_never_long() -> None:
    assert Schedule(ScheduleConfig(), 1000).warmup_steps == 50
    assert Schedule(ScheduleConfig(), 100_000).warmup_steps == 500


def test_cosine_and_constant() -> None:
    cosine = Schedule(ScheduleConfig(name="cosine", warmup_steps=0), 10)
    assert [cosine.factor(step) for step in (0, 5, 10)] == pytest.approx([1, 0.5, 0])
    constant = Schedule(ScheduleConfig(name="constant", warmup_steps=0), 10)
    assert constant.factor(9) == 1


@given(
    st.sampled_from(["poly", "cosine", "constant", "plateau"]),
    st.integers(1, 10_000),
    st.integers(0, 10_000),
)
def test_the_rate_is_always_a_share(name: str, total: int, step: int) -> None:
    config = ScheduleConfig(name=name)  # type: ignore[arg-type]
    assert 0 <= Schedule(config, total).factor(step) <= 1


def test_plateau_lowers_the_rate_when_nothing_gets_better() -> None:
    plateau = Plateau.from_config(ScheduleConfig(name="plateau", patience=2, factor=0.5))
    better = [plateau.update(score, epoch) for epoch, score in enumerate([0.1, 0.3, 0.2, 0.3])]
    assert better == [True, True, False, False]
    assert plateau.lr_factor == 0.5
    assert (plateau.best, plateau.best_epoch, plateau.since_best) == (0.3, 1, 2)
    assert plateau.update(0.4, 4)
    assert plateau.lr_factor == 0.5


def test_a_score_that_is_no_number_is_never_the_best() -> None:
    plateau = Plateau.from_config(ScheduleConfig())
    assert not plateau.update(math.nan, 0)
    assert plateau.best == -math.inf


def test_what_the_validations_said_survives() -> None:
    config = ScheduleConfig(name="plateau", patience=1)
    plateau, copy = Plateau.from_config(config), Plateau.from_config(config)
    for epoch, score in enumerate([0.5, 0.4, 0.3]):
        plateau.update(score, epoch)
    copy.load_state_dict(plateau.state_dict())
    assert copy == plateau
    assert copy.lr_factor == pytest.approx(0.01)
