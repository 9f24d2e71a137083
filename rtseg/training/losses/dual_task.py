"""Dual-task loss: the boundaries of the predicted classes against those of the labels."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor
from torch.nn import functional as F

from rtseg.classes import VOID
from rtseg.training.class_weights import ClassCounts
from rtseg.training.losses.loss import Loss, LossConfig, OfTwoClasses, register

_FLAT = 1e-6
"""Below the root of this a slope is none; the root's own slope stays finite there."""


@register
class DualTaskConfig(LossConfig):
    """1 - |A B| / |A or B| of soft boundary maps, one for each class; best beside cross entropy.

    Holds the predicted classes to the true boundaries. Its other half, cross entropy where a
    network's boundary head sees a boundary, is `boundary.aware_weight` of the criterion.
    """

    name: Literal["dual_task"] = "dual_task"
    temperature: float = Field(
        default=1.0,
        gt=0,
        le=10,
        description="Divides the logits before the softmax; small ones come near to a hard choice.",
    )
    gumbel_noise: bool = Field(
        default=False,
        description="Draw the classes as Gumbel-softmax does, instead of taking their chances.",
    )
    smoothing_px: int = Field(
        default=3,
        ge=1,
        le=15,
        description="Side of the box that class maps are averaged over, twice, before their slopes "
        "are taken; odd, label pixels; 1 for none.",
    )

    smooth: float = Field(
        default=1.0,
        gt=0,
        description="Boundary pixels added above and below the fraction bar; pictures without a "
        "boundary then cost what is invented.",
    )

    @field_validator("smoothing_px")
    @classmethod
    def _is_odd(cls, smoothing_px: int) -> int:
        if smoothing_px % 2 == 0:
            raise ValueError("give an odd number: a box has its pixel in the middle")
        return smoothing_px

    def build(self, num_classes: int, class_counts: ClassCounts | None = None) -> DualTask:
        """Build the loss for K classes."""
        return DualTask(self)

    def build_binary(self, class_counts: ClassCounts | None = None) -> OfTwoClasses:
        """Build the binary form; object and background have the same boundary."""
        return OfTwoClasses.built(self, class_counts)


class DualTask(Loss):
    """Built from a `DualTaskConfig`. Takikawa 2019, "Gated-SCNN", section 3.2.2, first part.

    The paper takes the difference of both maps' strengths at the pixels that belong to a boundary
    in one of them; so does this, a pixel belonging as much as the larger strength says: the sum of
    differences over the sum of larger strengths. For maps of 0 and 1 that is the paper's sum over
    the number of those pixels. As in the authors' code there is a map for each class. By default no
    Gumbel noise is drawn, so that one batch has one loss.
    """

    def __init__(self, config: DualTaskConfig) -> None:
        super().__init__()
        self.temperature = config.temperature
        self.gumbel_noise = config.gumbel_noise
        self.smoothing_px = config.smoothing_px
        self.smooth = config.smooth

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return sum |found - true| / (sum max(found, true) + smooth), 0..1."""
        valid = (labels != VOID).unsqueeze(1)
        ids = torch.arange(logits.shape[1], device=logits.device).view(1, -1, 1, 1)
        truth = boundary_strength((labels.unsqueeze(1) == ids).float(), valid, self.smoothing_px)
        found = boundary_strength(self._chances(logits.float()), valid, self.smoothing_px)
        return (found - truth).abs().sum() / (torch.maximum(found, truth).sum() + self.smooth)

    def _chances(self, logits: Tensor) -> Tensor:
        if self.gumbel_noise:
            return F.gumbel_softmax(logits, self.temperature, dim=1)
        return (logits / self.temperature).softmax(dim=1)


def boundary_strength(maps: Tensor, valid: Tensor, smoothing_px: int = 1) -> Tensor:
    """Return how steep smoothed `maps` are, [N, K, H, W]: |grad(G * y)| / sqrt(2).

    The slope at a pixel is the difference of its neighbours, the pixel itself standing in for one
    beyond the border. Pixels that aren't valid have no slope, are left out of the averages and
    stand in for nothing.

    Args:
        maps: the share of each class, [N, K, H, W], float32.
        valid: which pixels count, bool [N, 1, H, W].
        smoothing_px: side of the box of the two averages, odd; 1 for none.
    """
    share = valid.float()
    smooth = _averaged(maps * share, smoothing_px)
    smooth = smooth / _averaged(share, smoothing_px).clamp_min(_FLAT)
    down, across = _slope(smooth, share, 2), _slope(smooth, share, 3)
    steepness = (down**2 + across**2 + _FLAT).sqrt() - math.sqrt(_FLAT)
    return steepness * share / math.sqrt(2)


def _averaged(maps: Tensor, side_px: int) -> Tensor:
    for _ in range(2 if side_px > 1 else 0):
        maps = F.avg_pool2d(maps, side_px, stride=1, padding=side_px // 2)
    return maps


def _slope(maps: Tensor, share: Tensor, dim: int) -> Tensor:
    """Return the next pixel's value less the last one's along `dim`, between valid pixels."""
    length = maps.shape[dim]
    first, second = (0, length - 1), (1, length - 1)
    steps = maps.narrow(dim, *second) - maps.narrow(dim, *first)
    steps = steps * share.narrow(dim, *second) * share.narrow(dim, *first)
    ends = [0, 0, 0, 0]
    ends[2 * (3 - dim)] = ends[2 * (3 - dim) + 1] = 1  # F.pad counts from the last dimension
    padded = F.pad(steps, ends)
    return padded.narrow(dim, 0, length) + padded.narrow(dim, 1, length)
