"""What every loss owes that has a form for binary networks, and what the others say."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from rtseg.classes import VOID
from rtseg.errors import ConfigError
from rtseg.training.losses import LOSSES, Loss
from rtseg.training.losses.loss import binary_losses

NAMES = binary_losses()
REFUSING = {"lovasz_softmax"}
"""They have a form in name, which says what to take instead."""
SEES_EDGES_ALONE = {"dual_task"}
"""An object and its negative have the same edges."""

by_name = pytest.mark.parametrize("name", sorted(set(NAMES) - REFUSING))


def build(name: str) -> Loss:
    return LOSSES[name]().build_binary()


def batch() -> tuple[Tensor, Tensor]:
    """Return random logits and labels in blocks, a column of them void."""
    blocks = torch.randint(0, 2, (2, 3, 4)).float()
    blocks[:, 0, 0] = 1
    labels = F.interpolate(blocks[:, None], scale_factor=4.0, mode="nearest")[:, 0].long()
    labels[:, :, 5:8] = VOID
    return torch.randn(2, 1, 12, 16), labels


@by_name
def test_a_few_steps_lower_it(name: str) -> None:
    loss, (noise, labels) = build(name), batch()
    pictures = (labels == 1).unsqueeze(1).float() + 0.2 * noise
    network = torch.nn.Conv2d(1, 1, 1)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.5)
    values = []
    for _ in range(30):
        value = loss(network(pictures), labels)
        values.append(value.item())
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    assert values[-1] < 0.9 * values[0]


@by_name
def test_a_right_answer_costs_less_than_a_wrong_one(name: str) -> None:
    loss, (_, labels) = build(name), batch()
    right = torch.where(labels == 1, 20.0, -20.0).unsqueeze(1)
    assert 0 <= loss(right, labels) < 0.01
    wrong = right.roll((2, 2), dims=(2, 3)) if name in SEES_EDGES_ALONE else -right
    assert loss(wrong, labels) > 0.3


@by_name
def test_a_batch_that_is_all_void_gives_zero_and_no_gradient(name: str) -> None:
    logits = batch()[0].requires_grad_()
    value = build(name)(logits, torch.full((2, 12, 16), VOID))
    value.backward()
    assert value.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@by_name
def test_void_pixels_change_neither_loss_nor_gradient(name: str) -> None:
    loss, (logits, labels) = build(name), batch()
    changed = torch.where((labels == VOID).unsqueeze(1), 30 * torch.randn_like(logits), logits)
    values, gradients = [], []
    for one in (logits, changed):
        leaf = one.clone().requires_grad_()
        values.append(loss(leaf, labels))
        values[-1].backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(values[0], values[1])
    torch.testing.assert_close(gradients[0], gradients[1])


@by_name
@pytest.mark.parametrize("size", [1.0, 300.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_value_and_gradient_are_finite_and_float32_inside(
    name: str, dtype: torch.dtype, size: float
) -> None:
    loss, (logits, labels) = build(name), batch()
    leaf = (size * logits).to(dtype).requires_grad_()
    value = loss(leaf, labels)
    value.backward()
    assert value.dtype == torch.float32
    assert value.shape == ()
    assert leaf.grad is not None
    assert leaf.grad.isfinite().all()
    assert leaf.grad.any()


@pytest.mark.parametrize("name", ["dice", "focal", "lovasz_hinge"])
def test_a_compiler_sees_it_as_one_graph(name: str) -> None:
    loss, (logits, labels) = build(name), batch()
    compiled = torch.compile(loss, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(logits, labels), loss(logits, labels))


@pytest.mark.parametrize("name", sorted(set(LOSSES) - set(NAMES) | REFUSING))
def test_a_loss_without_such_a_form_says_what_to_take(name: str) -> None:
    with pytest.raises(ConfigError, match=r"no form for a binary network.*lovasz_hinge"):
        build(name)
