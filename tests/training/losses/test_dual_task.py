"""Dual-task loss: slopes of soft class maps, and how far they are from the labels' own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from rtseg.classes import VOID
from rtseg.config import validate
from rtseg.errors import ConfigError
from rtseg.training.losses.dual_task import DualTaskConfig, boundary_strength

K = 3


def halves(column: int) -> Tensor:
    """Return labels [1, 8, 12]: class 0 left of `column`, class 1 from there on."""
    labels = torch.zeros(1, 8, 12, dtype=torch.int64)
    labels[..., column:] = 1
    return labels


def logits_of(labels: Tensor, size: float = 50.0) -> Tensor:
    known = labels.where(labels != VOID, 0)
    return size * F.one_hot(known, K).permute(0, 3, 1, 2).float()


def loss(logits: Tensor, labels: Tensor, **values: object) -> float:
    config = validate(DualTaskConfig, {"smooth": 1e-6, **values}, "train.yaml")
    return config.build(K)(logits, labels).item()


def strength(labels: Tensor, smoothing_px: int = 1) -> Tensor:
    maps = F.one_hot(labels.where(labels != VOID, 0), K).permute(0, 3, 1, 2).float()
    return boundary_strength(maps, (labels != VOID).unsqueeze(1), smoothing_px)


def test_a_step_has_both_its_sides_at_full_slope() -> None:
    expected = torch.zeros(1, K, 8, 12)
    expected[:, :2, :, 4:6] = 2**-0.5
    torch.testing.assert_close(strength(halves(5)), expected, rtol=0, atol=1e-3)
    turned = strength(halves(5).transpose(1, 2))
    torch.testing.assert_close(turned, expected.transpose(2, 3), rtol=0, atol=1e-3)


def test_a_corner_is_steeper_by_the_root_of_two() -> None:
    labels = torch.zeros(1, 8, 8, dtype=torch.int64)
    labels[:, 4:, 4:] = 1
    assert strength(labels)[0, 1, 4, 4].item() == pytest.approx(1.0, abs=1e-3)
    assert strength(labels)[0, 1, 6, 4].item() == pytest.approx(2**-0.5, abs=1e-3)


def test_smoothing_spreads_the_slope_of_a_step() -> None:
    # A step averaged over three pixels twice climbs 1, 2, 3, 2, 1 ninths.
    climb = torch.tensor([1.0, 2, 3, 2, 1]) / 9
    expected = F.pad(climb, (1, 1)).unfold(0, 2, 1).sum(1) / 2**0.5
    found = strength(halves(6), 3)[0, 1, 4, 3:9]
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-3)


def test_void_makes_no_slope_and_does_not_leak_into_averages() -> None:
    labels = halves(6)
    labels[..., 5:7] = VOID
    assert not strength(labels, 1).any()
    maps = torch.ones(1, K, 8, 12)
    maps[..., 5:7] = 100
    flat = boundary_strength(maps, (labels != VOID).unsqueeze(1), 3)
    torch.testing.assert_close(flat, torch.zeros_like(flat), rtol=0, atol=1e-6)


@pytest.mark.parametrize("smoothing_px", [1, 3, 5])
def test_equal_boundaries_cost_nothing_whoever_is_sure(smoothing_px: int) -> None:
    labels = halves(6)
    assert loss(logits_of(labels), labels, smoothing_px=smoothing_px) < 1e-4


def test_boundaries_apart_cost_one_and_half_shared_ones_their_difference() -> None:
    labels = halves(6)
    assert loss(logits_of(halves(2)), labels, smoothing_px=1) == pytest.approx(1, abs=1e-3)
    # Of the columns 4 to 6 that have a boundary in one of both, 5 has it in both: 2 / 3 differ.
    assert loss(logits_of(halves(5)), labels, smoothing_px=1) == pytest.approx(2 / 3, abs=1e-3)


def test_a_prediction_without_a_boundary_misses_all_of_it() -> None:
    assert loss(torch.zeros(1, K, 8, 12), halves(6), smoothing_px=1) == pytest.approx(1, abs=1e-3)


def test_what_is_invented_in_an_even_picture_costs_and_has_a_gradient() -> None:
    labels, leaf = halves(12), logits_of(halves(6), 1.0).requires_grad_()
    value = DualTaskConfig().build(K)(leaf, labels)
    value.backward()
    assert 0 < value.item() < 1
    assert leaf.grad is not None
    assert leaf.grad[..., 5:7].abs().sum() > 0
    assert loss(torch.zeros(1, K, 8, 12), labels) < 1e-3


def test_a_low_temperature_comes_near_to_the_hard_choice() -> None:
    labels = halves(6)
    soft = logits_of(labels, 1.0)
    costs = [loss(soft, labels, temperature=each) for each in (2.0, 0.5, 0.05)]
    assert costs[0] > costs[1] > costs[2]
    assert costs[2] < 0.01


def test_gumbel_noise_is_drawn_anew_each_time_and_only_when_asked_for() -> None:
    labels, logits = halves(6), torch.randn(1, K, 8, 12)
    quiet = {loss(logits, labels) for _ in range(3)}
    noisy = {loss(logits, labels, gumbel_noise=True) for _ in range(3)}
    assert len(quiet) == 1
    assert len(noisy) == 3
    sure = loss(logits_of(labels, 1000.0), labels, gumbel_noise=True)
    assert sure < 1e-3, "a sure network is not shaken"


def test_an_even_box_is_refused() -> None:
    with pytest.raises(ConfigError, match="give an odd number"):
        loss(logits_of(halves(6)), halves(6), smoothing_px=4)


def test_the_binary_form_is_that_of_two_classes() -> None:
    labels, logits = halves(6), torch.randn(1, 1, 8, 12)
    both = torch.cat((torch.zeros_like(logits), logits), dim=1)
    expected = DualTaskConfig().build(2)(both, labels)
    torch.testing.assert_close(DualTaskConfig().build_binary()(logits, labels), expected)
