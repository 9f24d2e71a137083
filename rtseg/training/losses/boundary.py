"""Where classes meet: the boundary map of a label map, and the loss of a head that predicts it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rtseg.classes import VOID
from rtseg.training.losses.loss import mean_where_weighted


def boundary_map(labels: Tensor, width_px: int) -> Tensor:
    """Return bool [N, H, W]: the pixels within `width_px` / 2 of a change of class.

    A change lies between two neighbours, across or down, of different classes; one to or from void
    is none. `width_px` is even: the pixels on both sides are marked, and widened from there.

    Args:
        labels: int64 [N, H, W], 255 for void.
        width_px: the width of the line that a straight boundary makes; 2 or more.
    """
    lines = torch.zeros_like(labels, dtype=torch.float32)
    across = _differ(labels[:, :, 1:], labels[:, :, :-1])
    down = _differ(labels[:, 1:], labels[:, :-1])
    lines[:, :, 1:] += across
    lines[:, :, :-1] += across
    lines[:, 1:] += down
    lines[:, :-1] += down
    reach = width_px // 2 - 1
    if reach > 0:
        lines = F.max_pool2d(lines.unsqueeze(1), 2 * reach + 1, stride=1, padding=reach).squeeze(1)
    return lines > 0


def _differ(first: Tensor, second: Tensor) -> Tensor:
    return (first != second) & (first != VOID) & (second != VOID)


class BoundaryLoss(nn.Module):
    """Binary cross entropy of boundary logits, each kind of pixel weighed by the other's share.

    Xu 2023, "PIDNet", section 3.4, after Xie and Tu 2015, section 2.3.

    Args:
        width_px: the width of the boundaries, even.
    """

    def __init__(self, width_px: int = 4) -> None:
        super().__init__()
        self.width_px = width_px

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of logits [N, 1, H, W] against the boundaries in labels [N, H, W].

        Void pixels don't count. A batch without boundaries, or with nothing else, gives 0.
        """
        target = boundary_map(labels, self.width_px)
        valid = (labels != VOID).float()
        share = mean_where_weighted(target.float(), valid)
        weights = torch.where(target, 1 - share, share)
        losses = F.binary_cross_entropy_with_logits(
            logits.squeeze(1).float(), target.float(), weight=weights, reduction="none"
        )
        return mean_where_weighted(losses, valid)
