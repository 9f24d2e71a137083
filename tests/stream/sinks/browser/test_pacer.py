"""The rate that clients are sent pictures at follows what sending takes."""

from __future__ import annotations

import pytest

from rtseg.stream.sinks.browser.pacer import Pacer


def run(pacer: Pacer, cost_s: float, clients: int, seconds: int = 60) -> None:
    """Let each picture of each client cost so much for a while."""
    spent_s = 0.0
    for second in range(seconds):
        pacer.measure(spent_s, now_s=float(second))
        spent_s += pacer.fps * clients * cost_s


@pytest.mark.parametrize(("clients", "fps"), [(1, 30.0), (10, 20.0), (50, 4.0), (1000, 1.0)])
def test_all_get_the_rate_that_the_budget_allows(clients: int, fps: float) -> None:
    pacer = Pacer(30.0, share=0.05, num_cores=4)
    run(pacer, cost_s=0.001, clients=clients)
    assert pacer.fps == pytest.approx(fps, rel=0.02)
    assert pacer.period_s == 1 / pacer.fps


def test_the_rate_comes_back_when_clients_leave() -> None:
    pacer = Pacer(30.0, share=0.05, num_cores=4)
    run(pacer, cost_s=0.001, clients=50)
    run(pacer, cost_s=0.001, clients=1)
    assert pacer.fps == 30
    assert pacer.load == pytest.approx(0.03)


def test_a_clock_that_stands_changes_nothing() -> None:
    pacer = Pacer(30.0, share=0.05, num_cores=4)
    for _ in range(3):
        pacer.measure(5.0, now_s=1.0)
    assert pacer.fps == 30
