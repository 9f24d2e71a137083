"""Which parameters are decayed, and at which learning rate each group goes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rtseg.config import validate
from rtseg.errors import ConfigError
from rtseg.training.optim import OptimConfig, build_optimizer, set_lr


def _network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))


def _groups(
    config: OptimConfig, fresh: tuple[str, ...] = ()
) -> dict[tuple[float, float], set[str]]:
    network = _network()
    optimizer = build_optimizer(config, network, fresh)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return {
        (group["lr_factor"], group["weight_decay"]): {names[id(p)] for p in group["params"]}
        for group in optimizer.param_groups
    }


def test_norms_and_biases_are_not_decayed() -> None:
    assert _groups(OptimConfig(weight_decay=0.1)) == {
        (1.0, 0.1): {"0.weight", "2.weight"},
        (1.0, 0.0): {"0.bias", "1.weight", "1.bias", "2.bias"},
    }


def test_the_first_pattern_that_fits_sets_the_factor() -> None:
    config = OptimConfig(weight_decay=0.1, lr_factors={"2.*": 10.0, "new_head": 5.0})
    groups = _groups(config, fresh=("2.weight", "0.bias"))
    assert groups[10.0, 0.1] == {"2.weight"}
    assert groups[10.0, 0.0] == {"2.bias"}
    assert groups[5.0, 0.0] == {"0.bias"}


def test_a_pattern_that_fits_nothing_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"\['head\.\*'\].*start with 0, 1, 2"):
        _groups(OptimConfig(lr_factors={"head.*": 10.0}))
    with pytest.raises(ConfigError, match="only with init"):
        _groups(OptimConfig(lr_factors={"new_head": 10.0}))


def test_every_group_follows_the_rate_by_its_factor() -> None:
    optimizer = build_optimizer(OptimConfig(lr_factors={"2.*": 10.0}), _network())
    set_lr(optimizer, 0.02)
    assert {group["lr"] for group in optimizer.param_groups} == {0.02, 0.2}


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_either_optimiser_brings_a_loss_down(name: str) -> None:
    network = _network()
    optimizer = build_optimizer(OptimConfig(name=name, lr=0.05), network)
    images, wanted = torch.randn(4, 3, 8, 8), torch.randn(4, 2, 6, 6)
    losses = []
    for _ in range(10):
        loss = (network(images) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("value", [float("nan"), 0.0, -1.0, 100.0])
def test_a_rate_that_is_none_is_refused(value: float) -> None:
    with pytest.raises(ConfigError, match=r"lr is"):
        validate(OptimConfig, {"lr": value}, "test")
