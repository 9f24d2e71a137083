"""Losses of the heads that objects are found with: directions, energy levels, touching borders."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rtseg.classes import VOID
from rtseg.training.losses.loss import mean_where_weighted

LEVEL_WEIGHTS = (3.0, 3.0, 3.0, 2.0)
"""Weights of the lowest energy levels; the others have 1. Where objects are parted, it is there."""


class DirectionLoss(nn.Module):
    """The squared angle between two directions, radians, averaged over objects' pixels.

    Bai 2017, "Deep Watershed Transform", section 3.2. The angle is taken by its tangent, whose
    gradient stays finite where directions agree, unlike the cosine's.
    """

    def forward(self, vectors: Tensor, target: Tensor, weights: Tensor) -> Tensor:
        """Return the loss of vectors [N, 2, H, W] of any length against unit vectors.

        Pixels count by `weights` [N, H, W], and those without a direction not at all. Vectors
        shorter than 1, as between opposites that were resized, count by their length.
        """
        x, y = vectors.float().unbind(1)
        other_x, other_y = target.unbind(1)
        along, across = x * other_x + y * other_y, x * other_y - y * other_x
        angle = torch.atan2(across, along)
        length = torch.hypot(x, y).detach().clamp_max(1)
        known = target.abs().sum(1) > 0
        return mean_where_weighted(angle.square(), weights * known * length)


class EnergyLoss(nn.Module):
    """Cross entropy of energy levels, the lowest ones weighing more, on objects' pixels.

    Bai 2017, section 3.3, with the level weights of the authors' code.
    """

    def __init__(self, num_levels: int = 16) -> None:
        super().__init__()
        weights = [*LEVEL_WEIGHTS, *(1.0,) * num_levels][:num_levels]
        self.register_buffer("level_weights", torch.tensor(weights), persistent=False)

    level_weights: Tensor

    def forward(self, logits: Tensor, levels: Tensor, weights: Tensor) -> Tensor:
        """Return the loss of logits [N, L, H, W] against int64 levels [N, H, W]."""
        losses = F.cross_entropy(logits.float(), levels, reduction="none")
        return mean_where_weighted(losses, weights * self.level_weights[levels])


class BorderLoss(nn.Module):
    """Binary cross entropy plus 1 - Dice, both over all labelled pixels of the batch.

    Iglovikov 2018, "TernausNetV2", section 3.3, with Dice for the logarithm of Jaccard.
    """

    def forward(self, logits: Tensor, border: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of logits [N, 1, H, W] against bool borders [N, H, W]; void is left out.

        A batch without any border has its cross entropy alone.
        """
        valid = (labels != VOID).float()
        truth = border.float() * valid
        scores = logits.squeeze(1).float()
        entropy = F.binary_cross_entropy_with_logits(scores, truth, reduction="none")
        chances = scores.sigmoid() * valid
        total = chances.sum() + truth.sum()
        dice = (2 * (chances * truth).sum() + 1) / (total + 1)
        return mean_where_weighted(entropy, valid) + (1 - dice) * (truth.sum() > 0)
