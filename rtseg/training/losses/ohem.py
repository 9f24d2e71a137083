"""Online hard example mining: cross entropy of the pixels that the network gets wrong."""

from __future__ import annotations

import math
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
class OhemConfig(LossConfig):
    """Cross entropy of the hard pixels alone, their mean, each counting as its class weighs."""

    name: Literal["ohem"] = "ohem"
    threshold: float = Field(
        default=0.7,
        gt=0,
        le=1,
        description="Pixels whose true class has at most this probability are kept.",
    )
    min_kept: float = Field(
        default=1 / 16,
        ge=0,
        le=1,
        description="Share of the batch's pixels, void ones counted in, of which the hardest are "
        "kept whatever their probability.",
    )
    class_weights: ClassWeighting = "none"

    def build(self, num_classes: int, class_counts: ClassCounts | None = None) -> Ohem:
        """Build the loss for K classes."""
        return Ohem(self, num_classes, class_counts)

    def build_binary(self, class_counts: ClassCounts | None = None) -> OfTwoClasses:
        """Build the binary form."""
        return OfTwoClasses.built(self, class_counts)


class Ohem(WeightedLoss):
    """Built from an `OhemConfig`. Shrivastava 2016; per pixel as DABNet and PIDNet train."""

    def __init__(
        self, config: OhemConfig, num_classes: int, class_counts: ClassCounts | None
    ) -> None:
        super().__init__(num_classes, config.class_weights, class_counts)
        self.hard_loss = -math.log(config.threshold)
        self.min_kept = config.min_kept

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return sum(w * ce) / sum(w) over the hard pixels, w their classes' weights."""
        losses = F.cross_entropy(logits.float(), labels, ignore_index=VOID, reduction="none")
        kept = self.hard_pixels(losses.detach(), labels)
        return mean_where_weighted(losses, self.pixel_weights(labels) * kept)

    def hard_pixels(self, losses: Tensor, labels: Tensor) -> Tensor:
        """Return bool [N, H, W]: which pixels count, given each pixel's cross entropy."""
        valid = labels != VOID
        ranked = losses.where(valid, -1.0).flatten()
        least = max(1, int(self.min_kept * ranked.numel()))
        # Where fewer pixels than that have a label, this is -1 and all of them are kept.
        weakest_kept = ranked.topk(least, sorted=False).values.min()
        return valid & (losses >= weakest_kept.clamp_max(self.hard_loss))
