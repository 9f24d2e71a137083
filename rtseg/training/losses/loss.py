"""What every loss owes: a config that is its name and numbers, and a module that it builds."""

from __future__ import annotations

from typing import Annotated, TypeVar

import torch
from pydantic import AfterValidator, Field
from torch import Tensor, nn

from rtseg.classes import VOID
from rtseg.config import Config
from rtseg.errors import ConfigError, closest
from rtseg.networks.binary import NUM_CLASSES as NUM_BINARY_CLASSES
from rtseg.networks.binary import with_background
from rtseg.registry import Registry
from rtseg.training.class_weights import CLASS_WEIGHTINGS, ClassCounts, class_weights


class Loss(nn.Module):
    """A loss of class logits.

    `forward` takes logits [N, K, H, W] of any float type and int64 labels [N, H, W] with 255 for
    void, and returns a float32 scalar. Void pixels change neither it nor its gradient; a batch
    that is all void gives 0.
    """

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss, a scalar."""
        raise NotImplementedError


class LossConfig(Config):
    """The base of every loss's config; a subclass narrows `name` to its own."""

    name: str
    weight: float = Field(
        default=1.0, gt=0, description="The factor of this loss in the sum; above 0."
    )

    def build(self, num_classes: int, class_counts: ClassCounts | None = None) -> Loss:
        """Build the loss for K classes.

        Raises:
            ConfigError: class weights are asked for that can't be had, or the loss is one of
                binary networks alone.
        """
        raise NotImplementedError

    def build_binary(self, class_counts: ClassCounts | None = None) -> Loss:
        """Build the loss for a binary network: logits [N, 1, H, W] of class 1 of two.

        Args:
            class_counts: of the two classes.

        Raises:
            ConfigError: the loss has no such form, or class weights can't be had.
        """
        raise ConfigError(
            f"the loss {self.name!r} has no form for a binary network, which has one channel; "
            f"those that have one: {', '.join(binary_losses())}"
        )


def _known_weighting(weighting: str | list[float]) -> str | list[float]:
    known = ["none", *CLASS_WEIGHTINGS]
    if isinstance(weighting, str) and weighting not in known:
        raise ValueError(
            f"allowed are {', '.join(known)}, or a list of numbers.{closest(weighting, known)}"
        )
    return weighting


ClassWeighting = Annotated[
    str | list[float],
    AfterValidator(_known_weighting),
    Field(
        description="Weight of each class: none, enet for 1 / ln(1.02 + p), median_frequency for "
        "median(f) / f, both counted on the training data, or a list of one number from 0 up "
        "for each class."
    ),
]

LOSSES: Registry[type[LossConfig]] = Registry("loss")
"""Every loss's config by name; importing `rtseg.training.losses` fills it."""

_Config = TypeVar("_Config", bound=LossConfig)


def register(config: type[_Config]) -> type[_Config]:
    """Register a loss's config under the name that it carries."""
    LOSSES.add(config.model_fields["name"].default, config)
    return config


def binary_losses() -> list[str]:
    """Return the names of the losses that have a form for binary networks."""
    inherited = LossConfig.build_binary
    return [name for name, config in LOSSES.items() if config.build_binary is not inherited]


class OfTwoClasses(Loss):
    """A loss of two classes, fed with the logits of the object alone.

    The background's logit is 0, so that softmax over the two is the sigmoid of the object's:
    cross entropy becomes the binary one, and likewise what is made of it.

    Args:
        loss: built for two classes.
    """

    def __init__(self, loss: Loss) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of logits [N, 1, H, W] against labels [N, H, W] of 0, 1 and void."""
        value: Tensor = self.loss(with_background(logits.float()), labels)
        return value

    @classmethod
    def built(cls, config: LossConfig, class_counts: ClassCounts | None) -> OfTwoClasses:
        """Return a loss's form for binary networks."""
        return cls(config.build(NUM_BINARY_CLASSES, class_counts))


class WeightedLoss(Loss):
    """A loss whose pixels count as much as their class weighs.

    Args:
        num_classes: K.
        weighting: as `rtseg.training.class_weights.class_weights` takes it.
        class_counts: needed by the weightings that count.
    """

    class_weights: Tensor | None

    def __init__(
        self, num_classes: int, weighting: str | list[float], class_counts: ClassCounts | None
    ) -> None:
        super().__init__()
        weights = class_weights(weighting, num_classes, class_counts)
        tensor = None if weights is None else torch.tensor(weights, dtype=torch.float32)
        self.register_buffer("class_weights", tensor, persistent=False)

    def pixel_weights(self, labels: Tensor) -> Tensor:
        """Return float32 [N, H, W]: the weight of each pixel's class, 0 for void."""
        valid = labels != VOID
        if self.class_weights is None:
            return valid.float()
        return self.class_weights[labels.where(valid, 0)] * valid


def mean_where_weighted(values: Tensor, weights: Tensor) -> Tensor:
    """Return sum(values * weights) / sum(weights), 0 where no pixel has a weight."""
    total = weights.sum()
    return (values * weights).sum() / total.where(total > 0, 1.0)
