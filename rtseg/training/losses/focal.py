"""Focal loss: cross entropy that looks away from what is already right."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from rtseg.classes import VOID
from rtseg.training.class_weights import ClassCounts
from rtseg.training.losses.loss import (
    ClassWeighting,
    LossConfig,
    OfTwoClasses,
    WeightedLoss,
    mean_where_weighted,
    register,
)


@register
class FocalConfig(LossConfig):
    """Focal loss, the mean over the labelled pixels, each counting as its class weighs."""

    name: Literal["focal"] = "focal"
    gamma: float = Field(
        default=2.0, ge=0, le=10, description="Exponent of 1 - p; 0 gives the cross entropy."
    )
    class_weights: ClassWeighting = "none"

    def build(self, num_classes: int, class_counts: ClassCounts | None = None) -> Focal:
        """Build the loss for K classes."""
        return Focal(self, num_classes, class_counts)

    def build_binary(self, class_counts: ClassCounts | None = None) -> OfTwoClasses:
        """Build the binary form."""
        return OfTwoClasses.built(self, class_counts)


class Focal(WeightedLoss):
    """Built from a `FocalConfig`. Lin 2017, "Focal loss for dense object detection", section 3."""

    def __init__(
        self, config: FocalConfig, num_classes: int, class_counts: ClassCounts | None
    ) -> None:
        super().__init__(num_classes, config.class_weights, class_counts)
        self.gamma = config.gamma

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return sum(w * (1 - p)^gamma * -ln p) / sum(w), p the probability of the true class."""
        losses = F.cross_entropy(logits.float(), labels, ignore_index=VOID, reduction="none")
        # The slope of x^gamma at 0 is infinite for gamma < 1.
        missing = (1 - (-losses).exp()).clamp_min(1e-7)
        return mean_where_weighted(missing**self.gamma * losses, self.pixel_weights(labels))
