"""The plan of all steps: every picture once per epoch, the same again for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtseg.errors import ConfigError
from rtseg.training.plan import Plan
from rtseg.training.settings import StageConfig


def _stage(epochs: int, batch_size: int) -> StageConfig:
    return StageConfig(epochs=epochs, crop_hw=(32, 32), batch_size=batch_size)


@given(st.integers(1, 50), st.integers(1, 12), st.integers(0, 5))
def test_an_epoch_takes_each_picture_at_most_once(pictures: int, batch: int, seed: int) -> None:
    plan = Plan([_stage(2, batch)], pictures)
    for epoch in plan.epochs:
        taken = np.concatenate([plan.indices(epoch, step, seed) for step in range(epoch.steps)])
        assert len(taken) == epoch.steps * batch
        assert set(taken) <= set(range(pictures))
        if pictures >= batch:
            assert len(set(taken)) == len(taken) > pictures - batch
        else:
            assert set(taken) == set(range(pictures))


def test_epochs_and_seeds_have_their_own_order() -> None:
    plan = Plan([_stage(2, 100)], 100)
    first, second = plan.epochs
    orders = [plan.indices(first, 0, 0), plan.indices(second, 0, 0), plan.indices(first, 0, 1)]
    assert len({tuple(order) for order in orders}) == 3
    assert np.array_equal(orders[0], Plan([_stage(1, 100)], 100).indices(first, 0, 0))


def test_stages_follow_each_other() -> None:
    plan = Plan([_stage(2, 4), _stage(1, 8)], 17)
    assert [(e.index, e.first_step, e.end_step, e.batch_size) for e in plan.epochs] == [
        (0, 0, 4, 4),
        (1, 4, 8, 4),
        (2, 8, 10, 8),
    ]
    assert plan.total_steps == 10


def test_batches_must_split_evenly() -> None:
    with pytest.raises(ConfigError, match="take a multiple of 3"):
        Plan([_stage(1, 8)], 20, parts=3)
