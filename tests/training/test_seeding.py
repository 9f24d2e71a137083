"""One random state for a training."""

from __future__ import annotations

import torch

from rtseg.training.seeding import seed_everything


def test_seeding_repeats_and_sets_the_mode() -> None:
    try:
        seed_everything(3, deterministic=True)
        first = torch.rand(4)
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.backends.cudnn.benchmark
        seed_everything(3, deterministic=False)
        assert torch.equal(torch.rand(4), first)
    finally:
        seed_everything(0, deterministic=False)
    assert not torch.are_deterministic_algorithms_enabled()
