"""What every registered loss owes: it falls when followed, and void pixels are nothing to it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from rtseg.classes import VOID
from rtseg.training.losses import LOSSES, Loss

K = 4
BINARY_ALONE = {"lovasz_hinge"}
"""Losses of one channel: test_binary_losses.py."""
NAMES = [name for name in LOSSES if name not in BINARY_ALONE]
ON_THE_HOST = {"border_weight"}

pytestmark = pytest.mark.parametrize("name", NAMES)


def build(name: str) -> Loss:
    return LOSSES[name]().build(K)


def batch() -> tuple[Tensor, Tensor]:
    """Return random logits and labels in blocks, a column of them void."""
    blocks = torch.randint(0, K, (2, 3, 4)).float()
    labels = F.interpolate(blocks[:, None], scale_factor=4.0, mode="nearest")[:, 0].long()
    labels[:, :, 5:8] = VOID
    return torch.randn(2, K, 12, 16), labels


def test_a_few_steps_lower_it(name: str) -> None:
    loss, (_, labels) = build(name), batch()
    pictures = F.one_hot(labels.where(labels != VOID, 0), K).permute(0, 3, 1, 2).float()
    pictures = pictures + 0.3 * torch.randn_like(pictures)
    network = torch.nn.Conv2d(K, K, 1)
    optimiser = torch.optim.SGD(network.parameters(), lr=1.0)
    values = []
    for _ in range(20):
        value = loss(network(pictures), labels)
        values.append(value.item())
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    assert values[-1] < 0.9 * values[0]


def test_a_right_answer_costs_less_than_a_wrong_one(name: str) -> None:
    loss, (_, labels) = build(name), batch()
    right = 20.0 * F.one_hot(labels.where(labels != VOID, 0), K).permute(0, 3, 1, 2)
    assert 0 <= loss(right, labels) < 0.01
    assert loss(right.roll(1, dims=1), labels) > 0.5


def test_a_batch_that_is_all_void_gives_zero_and_no_gradient(name: str) -> None:
    logits = batch()[0].requires_grad_()
    value = build(name)(logits, torch.full((2, 12, 16), VOID))
    value.backward()
    assert value.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_void_pixels_change_neither_loss_nor_gradient(name: str) -> None:
    loss, (logits, labels) = build(name), batch()
    changed = torch.where((labels == VOID).unsqueeze(1), 30 * torch.randn_like(logits), logits)
    gradients = []
    values = []
    for one in (logits, changed):
        leaf = one.clone().requires_grad_()
        values.append(loss(leaf, labels))
        values[-1].backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(values[0], values[1])
    torch.testing.assert_close(gradients[0], gradients[1])
    assert not gradients[0][(labels == VOID).unsqueeze(1).expand_as(logits)].any()


@pytest.mark.parametrize("size", [1.0, 300.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_value_and_gradient_are_finite_and_float32_inside(
    name: str, dtype: torch.dtype, size: float
) -> None:
    loss, (logits, labels) = build(name), batch()
    logits = (size * logits).to(dtype)
    leaf = logits.clone().requires_grad_()
    value = loss(leaf, labels)
    value.backward()
    assert value.dtype == torch.float32
    assert value.shape == ()
    torch.testing.assert_close(value, loss(logits.float(), labels))
    assert leaf.grad is not None
    assert leaf.grad.dtype == dtype
    assert leaf.grad.isfinite().all()
    assert leaf.grad.any()


def test_its_gradient_points_along_finite_differences(name: str) -> None:
    loss, (logits, labels) = build(name), batch()
    leaf = logits.clone().requires_grad_()
    loss(leaf, labels).backward()
    assert leaf.grad is not None
    direction = leaf.grad / leaf.grad.norm()
    step = 0.02
    rise = loss(logits + step * direction, labels) - loss(logits - step * direction, labels)
    assert (rise / (2 * step)).item() == pytest.approx(leaf.grad.norm().item(), rel=0.05)


def test_a_compiler_sees_it_as_one_graph(name: str) -> None:
    if name in ON_THE_HOST:
        pytest.skip("works on the host by design")
    loss, (logits, labels) = build(name), batch()
    compiled = torch.compile(loss, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(logits, labels), loss(logits, labels))


def test_it_has_a_name_a_description_and_described_keys(name: str) -> None:
    config = LOSSES[name]
    assert config().name == name
    assert (config.__doc__ or "").strip()
    for key, field in config.model_fields.items():
        assert key == "name" or field.description, f"{name}.{key} has no description"
