"""The optimiser, and which parameters it treats how."""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatch
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from rtseg.config import Config
from rtseg.errors import ConfigError

NEW_HEAD = "new_head"
"""In `lr_factors`: the parameters that `init` started afresh."""


class OptimConfig(Config):
    """How weights follow their gradients."""

    name: Literal["adamw", "sgd"] = Field(default="adamw", description="The optimiser.")
    lr: float = Field(default=1e-3, gt=0, le=10, description="Learning rate after the warm-up.")
    weight_decay: float = Field(
        default=2e-4,
        ge=0,
        description="Decay of weights per unit of learning rate; norms and biases have none.",
    )
    betas: tuple[float, float] = Field(
        default=(0.9, 0.999), description="AdamW's two averages, 0 to 1."
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="SGD's momentum, Nesterov's form.")
    lr_factors: dict[str, float] = Field(
        default_factory=dict,
        description="Factors on the learning rate by pattern of parameter name, such as "
        "'auxiliary_head.*: 10'; 'new_head' means what init started afresh. First match counts.",
    )


def build_optimizer(
    config: OptimConfig, network: nn.Module, fresh: Collection[str] = ()
) -> torch.optim.Optimizer:
    """Return the optimiser of a network's parameters.

    Each parameter group holds its factor on the learning rate as ``lr_factor``; the learning
    rate itself is set at every step by `set_lr`.

    Args:
        config: which optimiser.
        network: on its device.
        fresh: names of parameters that didn't come from a weights file; see `NEW_HEAD`.

    Raises:
        ConfigError: a pattern of `lr_factors` matches no parameter.
    """
    groups = _groups(config, network, fresh)
    if config.name == "sgd":
        return torch.optim.SGD(
            groups, config.lr, config.momentum, nesterov=config.momentum > 0, fused=True
        )
    return torch.optim.AdamW(groups, config.lr, config.betas, fused=True)


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give every group `lr` times its own factor."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_factor"]


def _groups(
    config: OptimConfig, network: nn.Module, fresh: Collection[str]
) -> list[dict[str, Any]]:
    groups: dict[tuple[float, float], list[Tensor]] = {}
    matched: set[str] = set()
    for name, parameter in network.named_parameters():
        pattern = _first_match(config.lr_factors, name, fresh)
        matched.add(pattern)
        # Vectors are scales, shifts and biases: decay would only shrink what they stand for.
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((config.lr_factors.get(pattern, 1.0), decay), []).append(parameter)
    _check_matched(config, network, matched)
    return [
        {"params": parameters, "lr_factor": factor, "weight_decay": decay}
        for (factor, decay), parameters in groups.items()
    ]


def _first_match(factors: dict[str, float], name: str, fresh: Collection[str]) -> str:
    for pattern in factors:
        if fnmatch(name, pattern) or (pattern == NEW_HEAD and name in fresh):
            return pattern
    return ""


def _check_matched(config: OptimConfig, network: nn.Module, matched: set[str]) -> None:
    unused = [pattern for pattern in config.lr_factors if pattern not in matched]
    if unused:
        children = ", ".join(name for name, _ in network.named_children())
        raise ConfigError(
            f"optim.lr_factors names {unused}, which match no parameter of this training; its "
            f"parameters start with {children} (write 'encoder.*'), and {NEW_HEAD!r} works only "
            "with init"
        )
