"""Lovász hinge: the Jaccard loss of an object against the background, extended to logits."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from rtseg.classes import VOID
from rtseg.errors import ConfigError
from rtseg.training.class_weights import ClassCounts
from rtseg.training.losses.loss import Loss, LossConfig, register
from rtseg.training.losses.lovasz_softmax import lovasz_extension


@register
class LovaszHingeConfig(LossConfig):
    """Lovász hinge of a binary network; best after or beside cross entropy."""

    name: Literal["lovasz_hinge"] = "lovasz_hinge"
    per_image: bool = Field(
        default=False, description="Take the mean over the pictures, not the batch as one picture."
    )

    def build(self, num_classes: int, class_counts: ClassCounts | None = None) -> Loss:
        """Refuse: there is a softmax over K classes.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            f"the loss 'lovasz_hinge' is for binary networks, this one has {num_classes} classes: "
            "set network.binary: true, or take lovasz_softmax"
        )

    def build_binary(self, class_counts: ClassCounts | None = None) -> LovaszHinge:
        """Build the loss."""
        return LovaszHinge(self.per_image)


class LovaszHinge(Loss):
    """Built from a `LovaszHingeConfig`. Berman 2018, "The Lovász-softmax loss", section 2.1.

    A pixel's error is max(0, 1 - z) with the logit z of its true side. Sorts all pixels.
    """

    def __init__(self, per_image: bool) -> None:
        super().__init__()
        self.per_image = per_image

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of logits [N, 1, H, W]; 0 where nothing is labelled."""
        logits = logits[:, 0].float()
        if not self.per_image:
            return _of_pixels(logits.flatten(), labels.flatten())
        pairs = zip(logits.flatten(1), labels.flatten(1), strict=True)
        return torch.stack([_of_pixels(one, truth) for one, truth in pairs]).mean()


def _of_pixels(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of logits [P] against labels [P]."""
    truth, valid = labels == 1, labels != VOID
    errors = (1 - torch.where(truth, logits, -logits)).relu()
    # Void pixels have no error, so they come last and add nothing.
    return lovasz_extension(errors.where(valid, 0.0), truth, valid)
