"""OHEM: which pixels it keeps, and what it makes of them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from rtseg.classes import VOID
from rtseg.training.losses.cross_entropy import CrossEntropyConfig
from rtseg.training.losses.ohem import OhemConfig

CHANCES = torch.tensor([0.95, 0.1, 0.69, 0.71, 0.3, 0.99, 0.05, 0.8])
LOGITS = torch.stack([CHANCES.log(), (1 - CHANCES).log()])[None, :, None]
ALL_CLASS_0 = torch.zeros(1, 1, 8, dtype=torch.int64)


def kept(labels: Tensor, threshold: float, min_kept: float) -> list[int]:
    loss = OhemConfig(threshold=threshold, min_kept=min_kept).build(2)
    mask = loss.hard_pixels(-CHANCES.log().view(1, 1, 8), labels)
    return mask.flatten().nonzero().flatten().tolist()


def test_pixels_below_the_threshold_are_kept() -> None:
    assert kept(ALL_CLASS_0, 0.7, 0) == [1, 2, 4, 6]
    assert kept(ALL_CLASS_0, 0.2, 0) == [1, 6]


def test_at_least_so_many_are_kept() -> None:
    assert kept(ALL_CLASS_0, 0.2, 5 / 8) == [1, 2, 3, 4, 6]
    assert kept(ALL_CLASS_0, 0.01, 1 / 4) == [1, 6]
    assert kept(ALL_CLASS_0, 0.01, 1) == list(range(8))


def test_void_is_never_kept_nor_counted_as_hard() -> None:
    labels = ALL_CLASS_0.clone()
    labels[..., [1, 6]] = VOID
    assert kept(labels, 0.7, 0) == [2, 4]
    assert kept(labels, 0.01, 1 / 8) == [4]
    assert kept(labels, 0.01, 1) == [0, 2, 3, 4, 5, 7]


def test_the_loss_is_the_mean_of_the_kept() -> None:
    loss = OhemConfig(threshold=0.2, min_kept=3 / 8).build(2)
    expected = -(math.log(0.1) + math.log(0.05) + math.log(0.3)) / 3
    assert loss(LOGITS, ALL_CLASS_0).item() == pytest.approx(expected)


def test_only_kept_pixels_have_a_gradient() -> None:
    logits = LOGITS.clone().requires_grad_()
    OhemConfig(threshold=0.7).build(2)(logits, ALL_CLASS_0).backward()
    assert logits.grad is not None
    moved = logits.grad.abs().sum(dim=1).flatten().nonzero().flatten().tolist()
    assert moved == [1, 2, 4, 6]


def test_keeping_all_is_the_weighted_cross_entropy() -> None:
    logits, labels = torch.randn(2, 3, 5, 6), torch.randint(0, 3, (2, 5, 6))
    weights = [1.0, 2.0, 0.5]
    torch.testing.assert_close(
        OhemConfig(min_kept=1, class_weights=weights).build(3)(logits, labels),
        CrossEntropyConfig(class_weights=weights).build(3)(logits, labels),
    )
