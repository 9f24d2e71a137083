"""Cross entropy against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from rtseg.classes import VOID
from rtseg.errors import ConfigError
from rtseg.training.losses.cross_entropy import BalancedCrossEntropyConfig, CrossEntropyConfig


def logits_of(chances: list[list[float]]) -> Tensor:
    """Return logits [1, K, 1, W] whose softmax are these chances, one list for each pixel."""
    return torch.tensor(chances).log().T[None, :, None] + 1.7


CHANCES = [[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.3, 0.3, 0.4]]
LABELS = torch.tensor([[[0, 1, 0, VOID]]])
LN = [-math.log(0.5), -math.log(0.8), -math.log(0.2)]


def test_it_is_the_mean_of_the_negative_logarithms() -> None:
    loss = CrossEntropyConfig().build(3)
    assert loss(logits_of(CHANCES), LABELS).item() == pytest.approx(sum(LN) / 3)


def test_pixels_count_as_their_class_weighs() -> None:
    loss = CrossEntropyConfig(class_weights=[2.0, 0.5, 9.0]).build(3)
    expected = (2 * LN[0] + 0.5 * LN[1] + 2 * LN[2]) / 4.5
    assert loss(logits_of(CHANCES), LABELS).item() == pytest.approx(expected)


def test_label_smoothing_spreads_the_target() -> None:
    loss = CrossEntropyConfig(label_smoothing=0.3).build(3)
    labels = torch.tensor([[[1, VOID]]])
    expected = -(0.1 * math.log(0.5) + 0.8 * math.log(0.3) + 0.1 * math.log(0.2))
    logits = logits_of([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    assert loss(logits, labels).item() == pytest.approx(expected)


def test_a_weight_of_zero_leaves_a_class_out() -> None:
    loss = CrossEntropyConfig(class_weights=[0.0, 1.0, 1.0]).build(3)
    assert loss(logits_of(CHANCES), LABELS).item() == pytest.approx(LN[1])
    only_left_out = torch.tensor([[[0, 0, VOID, 0]]])
    assert loss(logits_of(CHANCES), only_left_out).item() == 0


def test_counted_weights_need_counts() -> None:
    with pytest.raises(ConfigError, match="not counted"):
        CrossEntropyConfig(class_weights="enet").build(3)


def test_balanced_takes_the_mean_of_the_classes_means() -> None:
    loss = BalancedCrossEntropyConfig().build(3)
    expected = ((LN[0] + LN[2]) / 2 + LN[1]) / 2
    assert loss(logits_of(CHANCES), LABELS).item() == pytest.approx(expected)


def test_balanced_for_two_classes_is_the_formula_of_xie_and_tu() -> None:
    logits, labels = torch.randn(2, 2, 6, 7), (torch.rand(2, 6, 7) < 0.2).long()
    share = labels.float().mean()
    chances = logits.softmax(1)
    positive = -(1 - share) * (chances[:, 1].log() * labels).sum()
    negative = -share * (chances[:, 0].log() * (1 - labels)).sum()
    expected = (positive + negative) / labels.numel() / (2 * share * (1 - share))
    loss = BalancedCrossEntropyConfig().build(2)
    torch.testing.assert_close(loss(logits, labels), expected)
