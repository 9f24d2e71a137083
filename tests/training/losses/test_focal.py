"""Focal loss against its formula."""

from __future__ import annotations

import math

import pytest
import torch

from rtseg.training.losses.cross_entropy import CrossEntropyConfig
from rtseg.training.losses.focal import FocalConfig


def test_it_follows_its_formula() -> None:
    logits = torch.tensor([[0.9, 0.1], [0.4, 0.6]]).log().T[None, :, None]
    labels = torch.tensor([[[0, 0]]])
    expected = (0.1**2 * -math.log(0.9) + 0.6**2 * -math.log(0.4)) / 2
    assert FocalConfig().build(2)(logits, labels).item() == pytest.approx(expected)
    weighted = FocalConfig(gamma=1, class_weights=[3.0, 1.0]).build(2)
    labels = torch.tensor([[[0, 1]]])
    expected = (3 * 0.1 * -math.log(0.9) + 0.4 * -math.log(0.6)) / 4
    assert weighted(logits, labels).item() == pytest.approx(expected, rel=1e-5)


def test_without_gamma_it_is_the_cross_entropy() -> None:
    logits, labels = torch.randn(2, 4, 5, 6), torch.randint(0, 4, (2, 5, 6))
    torch.testing.assert_close(
        FocalConfig(gamma=0).build(4)(logits, labels), CrossEntropyConfig().build(4)(logits, labels)
    )


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_its_gradient_is_finite_where_the_network_is_certain(gamma: float) -> None:
    logits = torch.tensor([[200.0, -200.0], [-200.0, 200.0]])[None, :, None].requires_grad_()
    for labels in (torch.tensor([[[0, 1]]]), torch.tensor([[[1, 0]]])):
        FocalConfig(gamma=gamma).build(2)(logits, labels).backward()
        assert logits.grad is not None
        assert logits.grad.isfinite().all()
