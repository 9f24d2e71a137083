"""Lovász-softmax: the Jaccard loss of hard predictions, extended to probabilities."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rtseg.classes import VOID
from rtseg.errors import ConfigError
from rtseg.training.class_weights import ClassCounts
from rtseg.training.losses.loss import Loss, LossConfig, register


@register
class LovaszSoftmaxConfig(LossConfig):
    """Lovász-softmax, the mean over the classes present; best after or beside cross entropy."""

    name: Literal["lovasz_softmax"] = "lovasz_softmax"
    per_image: bool = Field(
        default=False, description="Take the mean over the pictures, not the batch as one picture."
    )

    def build(self, num_classes: int, class_counts: ClassCounts | None = None) -> LovaszSoftmax:
        """Build the loss for K classes."""
        return LovaszSoftmax(self.per_image)

    def build_binary(self, class_counts: ClassCounts | None = None) -> Loss:
        """Refuse: the hinge is what the paper has for two classes.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            "the loss 'lovasz_softmax' has no form for a binary network, which has one channel; "
            "take lovasz_hinge"
        )


class LovaszSoftmax(Loss):
    """Built from a `LovaszSoftmaxConfig`. Berman 2018, "The Lovász-softmax loss", section 2.

    Sorts all pixels once for each class: small change on a GPU, seconds on a CPU.
    """

    def __init__(self, per_image: bool) -> None:
        super().__init__()
        self.per_image = per_image

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean over the classes present; 0 where none is."""
        chances = logits.float().softmax(dim=1)
        if not self.per_image:
            return self._of_pixels(chances.transpose(0, 1).flatten(1), labels.flatten())
        pairs = zip(chances.flatten(2), labels.flatten(1), strict=True)
        return torch.stack([self._of_pixels(one, truth) for one, truth in pairs]).mean()

    def _of_pixels(self, chances: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of chances [K, P] against labels [P]."""
        valid = labels != VOID
        losses, present = [], []
        for class_id, chance in enumerate(chances):
            truth = labels == class_id
            # Void pixels have no error, so they come last and add nothing.
            errors = (truth.float() - chance).abs() * valid
            losses.append(lovasz_extension(errors, truth, valid))
            present.append(truth.any())
        there = torch.stack(present).float()
        return (torch.stack(losses) * there).sum() / there.sum().clamp_min(1)


def lovasz_extension(errors: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Return the Lovász extension of the Jaccard loss of one class.

    Args:
        errors: float32 [P], 0 or more, 0 where not `valid`.
        truth: bool [P], the pixels of the class.
        valid: bool [P], the labelled pixels.
    """
    ranked, order = errors.sort(descending=True)
    truth_ranked = truth[order]
    # Whole numbers add up exactly, and in the same way on every run.
    missed = truth_ranked.long().cumsum(0)
    invented = (valid[order] & ~truth_ranked).long().cumsum(0)
    total = truth.sum()
    jaccard_loss = 1 - (total - missed) / (total + invented).clamp_min(1)
    steps = torch.cat([jaccard_loss[:1], jaccard_loss[1:] - jaccard_loss[:-1]])
    return torch.dot(ranked, steps)
