"""The learning rate at every step, and the decision to stop early."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field

from rtseg.config import Config

_LONGEST_DEFAULT_WARMUP = 500
_DEFAULT_WARMUP_SHARE = 0.05


class ScheduleConfig(Config):
    """How the learning rate goes over all steps of a training, stages included."""

    name: Literal["poly", "cosine", "constant", "plateau"] = Field(
        default="poly",
        description="poly: (1 - t)^power; cosine; constant; plateau: times `factor` when the "
        "validation has not improved for `patience` validations. t goes from 0 to 1.",
    )
    power: float = Field(default=0.9, gt=0, le=10, description="Exponent of poly.")
    warmup_steps: int | None = Field(
        default=None,
        ge=0,
        description="Steps of the linear rise; by default 5 % of all, 500 at most.",
    )
    warmup_from: float = Field(
        default=1 / 3,
        ge=0,
        le=1,
        description="Where the rise begins, as a share of the learning rate.",
    )
    factor: float = Field(default=0.1, gt=0, lt=1, description="What plateau multiplies by.")
    patience: int = Field(default=5, ge=1, description="Validations that plateau waits.")


@dataclass(frozen=True, slots=True)
class Schedule:
    """The learning rate as a share of the full one: a pure function of the step.

    Args:
        config: its form.
        total_steps: steps of the whole training.
    """

    config: ScheduleConfig
    total_steps: int

    @property
    def warmup_steps(self) -> int:
        """Steps of the linear rise."""
        if self.config.warmup_steps is not None:
            return self.config.warmup_steps
        return min(_LONGEST_DEFAULT_WARMUP, int(_DEFAULT_WARMUP_SHARE * self.total_steps))

    def factor(self, step: int) -> float:
        """Return the share for step `step`, counted from 0."""
        return self._warmup(step) * self._decay(min(step / max(self.total_steps, 1), 1.0))

    def _warmup(self, step: int) -> float:
        if step >= self.warmup_steps:
            return 1.0
        start = self.config.warmup_from
        return start + (1 - start) * (step + 1) / (self.warmup_steps + 1)

    def _decay(self, t: float) -> float:
        if self.config.name == "poly":
            return float((1 - t) ** self.config.power)
        if self.config.name == "cosine":
            return (1 + math.cos(math.pi * t)) / 2
        return 1.0


@dataclass(slots=True)
class Plateau:
    """What the validations say about going on: the best, and how long ago it was.

    Args:
        patience: validations without a better one before the rate is lowered; None: never.
        factor: what the rate is then multiplied by.
    """

    patience: int | None
    factor: float
    best: float = -math.inf
    best_epoch: int = -1
    since_best: int = 0
    lr_factor: float = 1.0
    _waited: int = field(default=0, repr=False)

    @classmethod
    def from_config(cls, config: ScheduleConfig) -> Plateau:
        """Return one that lowers the rate only where the schedule is "plateau"."""
        return cls(config.patience if config.name == "plateau" else None, config.factor)

    def update(self, score: float, epoch: int) -> bool:
        """Take the score of the validation after `epoch`; higher is better. Return: is it the best?

        A score that is not a number never is.
        """
        if score > self.best:
            self.best, self.best_epoch = score, epoch
            self.since_best = self._waited = 0
            return True
        self.since_best += 1
        self._waited += 1
        if self.patience is not None and self._waited >= self.patience:
            self.lr_factor *= self.factor
            self._waited = 0
        return False

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        names = ("best", "best_epoch", "since_best", "lr_factor", "_waited")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        for name, value in state.items():
            setattr(self, name, value)
