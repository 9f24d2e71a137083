"""Budgets are read, spent and never overdrawn by more than a step."""

from __future__ import annotations

import time

import pytest

from rtseg.errors import ConfigError
from rtseg.training.budget import Budget, BudgetClock


@pytest.mark.parametrize(
    ("text", "amount", "unit", "title"),
    [
        ("200it", 200, "it", "200 steps"),
        ("5min", 5, "min", "5 minutes"),
        ("2.5cpumin", 2.5, "cpumin", "2.5 CPU minutes"),
        (" 3 min ", 3, "min", "3 minutes"),
    ],
)
def test_a_budget_is_an_amount_and_a_unit(text: str, amount: float, unit: str, title: str) -> None:
    budget = Budget.parse(text)
    assert (budget.amount, budget.unit, budget.title) == (amount, unit, title)
    assert Budget.parse(str(budget)) == budget


@pytest.mark.parametrize("text", ["", "5", "min", "0it", "0.0min", "1.5it", "5 hours", "-2min"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"such as 200it, 5min or 2\.5cpumin"):
        Budget.parse(text)


def test_steps_are_counted() -> None:
    clock = BudgetClock(Budget(4, "it"))
    assert clock.share == 0
    clock.steps = 3
    assert clock.share == 0.75
    clock.steps = 5
    assert clock.share == 1


def test_sleep_costs_minutes_and_no_processor() -> None:
    wall, processor = BudgetClock(Budget(0.01, "min")), BudgetClock(Budget(0.01, "cpumin"))
    time.sleep(0.3)
    assert wall.share > 0.4
    assert processor.share < 0.25
    while processor.share < 0.25:
        sum(range(10_000))
    assert processor.cpu_s >= 0.15
