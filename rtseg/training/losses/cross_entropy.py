"""Cross entropy, with class weights and label smoothing, and balanced over a batch's classes."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from rtseg.classes import VOID
from rtseg.training.class_weights import ClassCounts
from rtseg.training.losses.loss import (
    ClassWeighting,
    Loss,
    LossConfig,
    OfTwoClasses,
    WeightedLoss,
    mean_where_weighted,
    register,
)


@register
class CrossEntropyConfig(LossConfig):
    """Cross entropy, the mean over the labelled pixels, each counting as its class weighs."""

    name: Literal["cross_entropy"] = "cross_entropy"
    class_weights: ClassWeighting = "none"
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="Share of the target spread evenly over all classes."
    )

    def build(self, num_classes: int, class_counts: ClassCounts | None = None) -> CrossEntropy:
        """Build the loss for K classes."""
        return CrossEntropy(self, num_classes, class_counts)

    def build_binary(self, class_counts: ClassCounts | None = None) -> OfTwoClasses:
        """Build the binary form."""
        return OfTwoClasses.built(self, class_counts)


class CrossEntropy(WeightedLoss):
    """Built from a `CrossEntropyConfig`."""

    def __init__(
        self, config: CrossEntropyConfig, num_classes: int, class_counts: ClassCounts | None
    ) -> None:
        super().__init__(num_classes, config.class_weights, class_counts)
        self.label_smoothing = config.label_smoothing

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return sum(w * ce) / sum(w) over the labelled pixels, w their classes' weights."""
        total = F.cross_entropy(
            logits.float(),
            labels,
            weight=self.class_weights,
            ignore_index=VOID,
            reduction="sum",
            label_smoothing=self.label_smoothing,
        )
        weight = self.pixel_weights(labels).sum()
        return total / weight.where(weight > 0, 1.0)


@register
class BalancedCrossEntropyConfig(LossConfig):
    """Cross entropy in which every class of the batch counts alike, however few its pixels."""

    name: Literal["balanced_cross_entropy"] = "balanced_cross_entropy"

    def build(
        self, num_classes: int, class_counts: ClassCounts | None = None
    ) -> BalancedCrossEntropy:
        """Build the loss for K classes."""
        return BalancedCrossEntropy(num_classes)

    def build_binary(self, class_counts: ClassCounts | None = None) -> OfTwoClasses:
        """Build the binary form."""
        return OfTwoClasses.built(self, class_counts)


class BalancedCrossEntropy(Loss):
    """The mean over the classes in the batch of the mean cross entropy of their pixels.

    For two classes this is the class-balanced cross entropy of Xie and Tu 2015, section 2.3, over
    the number of pixels, up to a factor.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return sum over the classes c present of mean(ce in c), over their number."""
        losses = F.cross_entropy(logits.float(), labels, ignore_index=VOID, reduction="none")
        valid = labels != VOID
        ids = labels.where(valid, 0).flatten()
        counts = torch.zeros(self.num_classes, device=logits.device)
        counts = counts.scatter_add(0, ids, valid.flatten().float())
        weights = (1 / counts.clamp_min(1.0))[ids].view_as(losses) * valid
        return mean_where_weighted(losses, weights)
