"""Losses of directions, energy and borders, against plain formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from rtseg.classes import VOID
from rtseg.training.losses.objects import BorderLoss, DirectionLoss, EnergyLoss


def vectors(*degrees: float, length: float = 1.0) -> torch.Tensor:
    """One row of directions, [1, 2, 1, n]."""
    angles = torch.tensor(degrees) * math.pi / 180
    return length * torch.stack([angles.cos(), angles.sin()])[None, :, None]


def test_direction_loss_is_the_squared_angle() -> None:
    loss = DirectionLoss()(vectors(10, 350, 90), vectors(0, 20, 300), torch.ones(1, 1, 3))
    angles = torch.tensor([10.0, 30, 150]) * math.pi / 180
    torch.testing.assert_close(loss, angles.square().mean())


def test_directions_count_by_weight_and_nothing_where_there_is_none() -> None:
    target = vectors(0, 0, 0)
    target[..., 2] = 0
    weights = torch.tensor([[[3.0, 1.0, 5.0]]])
    loss = DirectionLoss()(vectors(60, 20, 70), target, weights)
    angles = torch.tensor([60.0, 20]) * math.pi / 180
    torch.testing.assert_close(loss, (3 * angles[0] ** 2 + angles[1] ** 2) / 4)
    assert DirectionLoss()(vectors(5), torch.zeros(1, 2, 1, 1), torch.zeros(1, 1, 1)) == 0


@pytest.mark.parametrize("degrees", [0.0, 180.0, 179.999])
def test_gradients_are_finite_at_both_ends_and_lead_to_the_target(degrees: float) -> None:
    guess = vectors(degrees).requires_grad_()
    DirectionLoss()(guess, vectors(0), torch.ones(1, 1, 1)).backward()
    assert guess.grad is not None
    assert torch.isfinite(guess.grad).all()
    assert bool(guess.grad.any()) == (degrees != 0)
    nothing = torch.zeros(1, 2, 1, 1, requires_grad=True)
    DirectionLoss()(nothing, vectors(0), torch.ones(1, 1, 1)).backward()
    assert nothing.grad is not None
    assert torch.isfinite(nothing.grad).all()


def test_energy_loss_is_weighted_cross_entropy() -> None:
    torch.manual_seed(0)
    logits, levels = torch.randn(2, 16, 3, 4), torch.randint(0, 16, (2, 3, 4))
    weights = torch.rand(2, 3, 4)
    weights[0, 0] = 0
    by_level = torch.tensor([3.0, 3, 3, 2] + [1.0] * 12)
    expected, total = 0.0, 0.0
    for n in range(2):
        for y in range(3):
            for x in range(4):
                weight = float(weights[n, y, x] * by_level[levels[n, y, x]])
                chance = logits[n, :, y, x].softmax(0)[levels[n, y, x]]
                expected -= weight * math.log(chance)
                total += weight
    assert EnergyLoss()(logits, levels, weights).item() == pytest.approx(expected / total)
    assert EnergyLoss()(logits, levels, torch.zeros(2, 3, 4)) == 0


def test_border_loss_is_cross_entropy_and_dice() -> None:
    torch.manual_seed(0)
    logits, border = torch.randn(2, 1, 6, 8), torch.rand(2, 6, 8) < 0.3
    labels = torch.zeros(2, 6, 8, dtype=torch.long)
    chances, truth = logits[:, 0].sigmoid(), border.float()
    dice = (2 * (chances * truth).sum() + 1) / (chances.sum() + truth.sum() + 1)
    entropy = F.binary_cross_entropy(chances, truth)
    torch.testing.assert_close(BorderLoss()(logits, border, labels), entropy + 1 - dice)


def test_void_is_nothing_to_borders() -> None:
    logits, border = torch.randn(1, 1, 4, 6, requires_grad=True), torch.rand(1, 4, 6) < 0.5
    labels = torch.zeros(1, 4, 6, dtype=torch.long)
    labels[..., 3:] = VOID
    other = torch.where(labels == VOID, ~border, border)
    loss = BorderLoss()(logits, border, labels)
    assert loss == BorderLoss()(logits, other, labels)
    loss.backward()
    assert logits.grad is not None
    assert not logits.grad[..., 3:].any()
    assert BorderLoss()(logits, border, torch.full((1, 4, 6), VOID)) == 0


def test_no_border_anywhere_is_cross_entropy_alone() -> None:
    logits, labels = torch.full((1, 1, 4, 6), -20.0), torch.zeros(1, 4, 6, dtype=torch.long)
    assert BorderLoss()(logits, torch.zeros(1, 4, 6, dtype=torch.bool), labels) < 1e-6


@pytest.mark.parametrize("kind", ["direction", "energy", "border"])
def test_a_few_steps_lower_each(kind: str) -> None:
    torch.manual_seed(1)
    maps = torch.randn(2, {"direction": 2, "energy": 16, "border": 1}[kind], 6, 8)
    maps.requires_grad_()
    target = F.normalize(torch.randn(2, 2, 6, 8), dim=1)
    levels, border = torch.randint(0, 16, (2, 6, 8)), torch.rand(2, 6, 8) < 0.3
    weights, labels = torch.rand(2, 6, 8), torch.zeros(2, 6, 8, dtype=torch.long)
    optimiser = torch.optim.Adam([maps], lr=0.1)
    values = []
    for _ in range(30):
        loss = {
            "direction": lambda: DirectionLoss()(maps, target, weights),
            "energy": lambda: EnergyLoss()(maps, levels, weights),
            "border": lambda: BorderLoss()(maps, border, labels),
        }[kind]()
        values.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert values[-1] < 0.6 * values[0]
