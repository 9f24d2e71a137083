"""The Lovász extension against its definition, worked out over all sets of mistakes."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from rtseg.classes import VOID
from rtseg.training.losses.lovasz_softmax import LovaszSoftmaxConfig, lovasz_extension


def jaccard_loss(wrong: set[int], truth: set[int]) -> float:
    """1 - |truth without wrong| / |truth or wrong|: the mistakes turn the truth's pixels over."""
    union = len(truth | wrong)
    return len(wrong) / union if union else 0.0


def extension_by_definition(errors: list[float], truth: set[int]) -> float:
    """The integral over t in 0..1 of the set function of {i: error_i >= t}."""
    levels = sorted({0.0, *errors})
    return sum(
        (upper - lower) * jaccard_loss({i for i, e in enumerate(errors) if e >= upper}, truth)
        for lower, upper in itertools.pairwise(levels)
    )


def test_at_the_corners_of_the_cube_it_is_the_jaccard_loss() -> None:
    valid = torch.ones(5, dtype=torch.bool)
    for truth_bits in itertools.product([False, True], repeat=5):
        truth = {i for i, bit in enumerate(truth_bits) if bit}
        for wrong_bits in itertools.product([0.0, 1.0], repeat=5):
            wrong = {i for i, bit in enumerate(wrong_bits) if bit}
            found = lovasz_extension(torch.tensor(wrong_bits), torch.tensor(truth_bits), valid)
            assert found.item() == pytest.approx(jaccard_loss(wrong, truth), abs=1e-6)


def test_inside_the_cube_it_is_the_integral_over_level_sets() -> None:
    generator = torch.Generator().manual_seed(1)
    valid = torch.ones(9, dtype=torch.bool)
    for _ in range(50):
        errors = torch.rand(9, generator=generator)
        truth = torch.rand(9, generator=generator) < 0.4
        expected = extension_by_definition(errors.tolist(), set(truth.nonzero().flatten().tolist()))
        assert lovasz_extension(errors, truth, valid).item() == pytest.approx(expected, abs=1e-5)


def loss_by_definition(logits: Tensor, labels: Tensor) -> float:
    chances = logits.softmax(1).transpose(0, 1).flatten(1)
    flat = labels.flatten()
    keep = flat != VOID
    losses = []
    for class_id in flat[keep].unique().tolist():
        truth = flat[keep] == class_id
        errors = (truth.float() - chances[class_id][keep]).abs()
        losses.append(
            extension_by_definition(errors.tolist(), set(truth.nonzero().flatten().tolist()))
        )
    return sum(losses) / len(losses)


@pytest.mark.parametrize("per_image", [False, True])
def test_the_loss_is_the_mean_over_the_classes_present(per_image: bool) -> None:
    logits, labels = torch.randn(2, 4, 3, 5), torch.randint(0, 3, (2, 3, 5))
    labels[0, 0] = VOID
    loss = LovaszSoftmaxConfig(per_image=per_image).build(4)
    pictures = list(zip(logits.split(1), labels.split(1), strict=True))
    expected = (
        sum(loss_by_definition(*one) for one in pictures) / 2
        if per_image
        else loss_by_definition(logits, labels)
    )
    assert loss(logits, labels).item() == pytest.approx(expected, abs=1e-5)


def test_its_gradient_is_that_of_finite_differences() -> None:
    logits = torch.randn(1, 3, 2, 3, requires_grad=True)
    labels = torch.randint(0, 3, (1, 2, 3))
    loss = LovaszSoftmaxConfig().build(3)
    loss(logits, labels).backward()
    assert logits.grad is not None
    step = 1e-2
    for place in range(logits.numel()):
        moved = torch.zeros(logits.numel())
        moved[place] = step
        with torch.no_grad():
            rise = loss(logits + moved.view_as(logits), labels) - loss(
                logits - moved.view_as(logits), labels
            )
        slope = (rise / (2 * step)).item()
        assert logits.grad.flatten()[place].item() == pytest.approx(slope, abs=3e-3)


def test_hard_predictions_give_one_minus_the_mean_iou() -> None:
    labels = torch.tensor([[[0, 0, 0, 1, 1, VOID]]])
    predicted = torch.tensor([[[0, 0, 1, 0, 1, 2]]])
    logits = 100.0 * F.one_hot(predicted, 3).permute(0, 3, 1, 2)
    loss = LovaszSoftmaxConfig().build(3)(logits, labels)
    assert loss.item() == pytest.approx(1 - (2 / 4 + 1 / 3) / 2, abs=1e-6)
