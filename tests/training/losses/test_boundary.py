"""Boundaries: where they are drawn, how wide, and what their loss is."""

from __future__ import annotations

import math

import pytest
import torch

from rtseg.classes import VOID
from rtseg.training.losses.boundary import BoundaryLoss, boundary_map


@pytest.mark.parametrize("width_px", [2, 4, 6])
def test_a_straight_boundary_is_as_wide_as_asked(width_px: int) -> None:
    labels = torch.zeros(1, 20, 20, dtype=torch.int64)
    labels[:, :, 10:] = 1
    expected = torch.zeros(1, 20, 20, dtype=torch.bool)
    expected[:, :, 10 - width_px // 2 : 10 + width_px // 2] = True
    assert torch.equal(boundary_map(labels, width_px), expected)
    assert torch.equal(boundary_map(labels.transpose(1, 2), width_px), expected.transpose(1, 2))


def test_void_makes_no_boundary() -> None:
    labels = torch.zeros(1, 8, 9, dtype=torch.int64)
    labels[:, :, 6:] = 1
    labels[:, :, 3:6] = VOID
    assert not boundary_map(labels, 2).any()


def test_a_single_pixel_has_a_ring() -> None:
    labels = torch.zeros(1, 7, 7, dtype=torch.int64)
    labels[0, 3, 3] = 1
    plus = torch.zeros(7, 7, dtype=torch.bool)
    plus[3, 2:5] = plus[2:5, 3] = True
    assert torch.equal(boundary_map(labels, 2)[0], plus)


def test_each_kind_counts_as_the_others_share() -> None:
    labels = torch.tensor([[[0, 0, 0, 1, 1, 1, 1, VOID]]])  # 2 boundary pixels of 7
    logits = torch.full((1, 1, 1, 8), 0.3)
    logits[..., 2:4] = -0.7
    inside = -math.log(1 / (1 + math.exp(0.7)))  # true, logit -0.7
    outside = -math.log(1 - 1 / (1 + math.exp(-0.3)))  # false, logit 0.3
    expected = (2 * 5 / 7 * inside + 5 * 2 / 7 * outside) / 7
    assert BoundaryLoss(2)(logits, labels).item() == pytest.approx(expected, rel=1e-5)


def test_void_pixels_change_nothing() -> None:
    labels = torch.randint(0, 3, (2, 9, 9))
    labels[:, :, 4:] = VOID
    logits = torch.randn(2, 1, 9, 9)
    changed = logits.clone()
    changed[..., 4:] = 50
    assert BoundaryLoss()(logits, labels) == BoundaryLoss()(changed, labels)


def test_all_void_is_zero_with_a_finite_gradient() -> None:
    logits = torch.randn(1, 1, 6, 6, requires_grad=True)
    loss = BoundaryLoss()(logits, torch.full((1, 6, 6), VOID))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()
