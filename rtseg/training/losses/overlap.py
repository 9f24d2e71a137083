"""Losses of overlap: Dice, Jaccard and Tversky, on probabilities summed over the batch."""

from __future__ import annotations

from typing import Literal, cast

import torch
from pydantic import Field
from torch import Tensor

from rtseg.classes import VOID
from rtseg.networks.binary import NUM_CLASSES
from rtseg.training.class_weights import ClassCounts
from rtseg.training.losses.loss import Loss, LossConfig, register


class Overlap(Loss):
    """1 - TP / (TP + alpha FP + beta FN), the mean over the classes in the batch.

    TP, FP and FN are sums of softmax probabilities over the labelled pixels of the whole batch.
    Salehi 2017, "Tversky loss function"; alpha = beta = 1/2 is Dice, alpha = beta = 1 Jaccard.

    Args:
        false_positives: alpha.
        false_negatives: beta.
        smooth: added above and below the fraction bar, pixels.
    """

    def __init__(self, false_positives: float, false_negatives: float, smooth: float) -> None:
        super().__init__()
        self.false_positives = false_positives
        self.false_negatives = false_negatives
        self.smooth = smooth

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean over the classes present; 0 where none is."""
        ids = torch.arange(logits.shape[1], device=logits.device).view(1, -1, 1, 1)
        truth = labels.unsqueeze(1) == ids
        valid = (labels != VOID).unsqueeze(1)
        chances = logits.float().softmax(dim=1) * valid
        true_positives = (chances * truth).sum(dim=(0, 2, 3))
        false_positives = chances.sum(dim=(0, 2, 3)) - true_positives
        pixels = truth.sum(dim=(0, 2, 3))
        false_negatives = pixels - true_positives
        wrong = self.false_positives * false_positives + self.false_negatives * false_negatives
        overlap = (true_positives + self.smooth) / (true_positives + wrong + self.smooth).clamp_min(
            1e-7
        )
        present = (pixels > 0).float()
        return ((1 - overlap) * present).sum() / present.sum().clamp_min(1)


class ObjectOverlap(Overlap):
    """The binary form: sigmoid probabilities of the object alone, also where the batch has none.

    There the smoothing makes it fall with every false positive; without smoothing it is then 1.
    """

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of logits [N, 1, H, W]; 0 where nothing is labelled."""
        truth, valid = labels == 1, labels != VOID
        chances = logits[:, 0].float().sigmoid() * valid
        true_positives = (chances * truth).sum()
        wrong = self.false_positives * (chances.sum() - true_positives)
        wrong = wrong + self.false_negatives * (truth.sum() - true_positives)
        overlap = (true_positives + self.smooth) / (true_positives + wrong + self.smooth).clamp_min(
            1e-7
        )
        return (1 - overlap) * valid.any()


class _OverlapConfig(LossConfig):
    smooth: float = Field(
        default=1.0, ge=0, description="Pixels added above and below the fraction bar."
    )

    def build_binary(self, class_counts: ClassCounts | None = None) -> ObjectOverlap:
        """Build the binary form, which looks at the object alone."""
        overlap = cast(Overlap, self.build(NUM_CLASSES))
        return ObjectOverlap(overlap.false_positives, overlap.false_negatives, overlap.smooth)


@register
class DiceConfig(_OverlapConfig):
    """1 - 2 |A B| / (|A| + |B|), the mean over the classes in the batch."""

    name: Literal["dice"] = "dice"

    def build(self, num_classes: int, class_counts: ClassCounts | None = None) -> Overlap:
        """Build the loss for K classes."""
        return Overlap(0.5, 0.5, self.smooth)


@register
class JaccardConfig(_OverlapConfig):
    """1 - |A B| / |A or B|, the mean over the classes in the batch."""

    name: Literal["jaccard"] = "jaccard"

    def build(self, num_classes: int, class_counts: ClassCounts | None = None) -> Overlap:
        """Build the loss for K classes."""
        return Overlap(1.0, 1.0, self.smooth)


@register
class TverskyConfig(_OverlapConfig):
    """1 - TP / (TP + alpha FP + beta FN), the mean over the classes in the batch."""

    name: Literal["tversky"] = "tversky"
    false_positives: float = Field(default=0.3, ge=0, description="alpha, the factor of FP.")
    false_negatives: float = Field(default=0.7, ge=0, description="beta, the factor of FN.")

    def build(self, num_classes: int, class_counts: ClassCounts | None = None) -> Overlap:
        """Build the loss for K classes."""
        return Overlap(self.false_positives, self.false_negatives, self.smooth)
