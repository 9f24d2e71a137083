"""Losses of binary networks against their formulas."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from rtseg.classes import VOID
from rtseg.errors import ConfigError
from rtseg.networks.binary import with_background
from rtseg.training.class_weights import count_classes
from rtseg.training.losses.border_weight import BorderWeightConfig
from rtseg.training.losses.cross_entropy import CrossEntropyConfig
from rtseg.training.losses.focal import FocalConfig
from rtseg.training.losses.lovasz_hinge import LovaszHingeConfig
from rtseg.training.losses.overlap import DiceConfig, JaccardConfig, TverskyConfig


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    labels = torch.randint(0, 2, (2, 6, 8))
    labels[0, 0] = VOID
    return 2 * torch.randn(2, 1, 6, 8), labels


def labelled(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return logits and targets of the pixels with a label."""
    logits, labels = batch
    valid = labels != VOID
    return logits[:, 0][valid], labels[valid].float()


def test_cross_entropy_is_binary_cross_entropy(batch: tuple[Tensor, Tensor]) -> None:
    expected = F.binary_cross_entropy_with_logits(*labelled(batch))
    torch.testing.assert_close(CrossEntropyConfig().build_binary()(*batch), expected)


def test_class_weights_are_those_of_background_and_object(batch: tuple[Tensor, Tensor]) -> None:
    logits, target = labelled(batch)
    weights = torch.where(target == 1, 3.0, 1.0)
    losses = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    expected = (weights * losses).sum() / weights.sum()
    loss = CrossEntropyConfig(class_weights=[1.0, 3.0]).build_binary()
    torch.testing.assert_close(loss(*batch), expected)
    counts = count_classes([batch[1].to(torch.uint8).numpy()], 2)
    assert CrossEntropyConfig(class_weights="enet").build_binary(counts)(*batch) > 0


def test_focal_is_that_of_a_sigmoid(batch: tuple[Tensor, Tensor]) -> None:
    logits, target = labelled(batch)
    p = torch.where(target == 1, logits.sigmoid(), (-logits).sigmoid())
    expected = ((1 - p) ** 2 * -p.log()).mean()
    torch.testing.assert_close(FocalConfig().build_binary()(*batch), expected)


@pytest.mark.parametrize(
    ("config", "alpha", "beta"),
    [(DiceConfig(), 0.5, 0.5), (JaccardConfig(), 1.0, 1.0), (TverskyConfig(), 0.3, 0.7)],
)
def test_overlap_looks_at_the_object_alone(
    batch: tuple[Tensor, Tensor], config: DiceConfig, alpha: float, beta: float
) -> None:
    logits, target = labelled(batch)
    p = logits.sigmoid()
    hits, invented, missed = (p * target).sum(), (p * (1 - target)).sum(), ((1 - p) * target).sum()
    expected = 1 - (hits + 1) / (hits + alpha * invented + beta * missed + 1)
    torch.testing.assert_close(config.build_binary()(*batch), expected)


def test_without_an_object_overlap_still_falls_with_false_positives() -> None:
    labels = torch.zeros(1, 4, 4, dtype=torch.long)
    loss = DiceConfig().build_binary()
    few, many = (loss(torch.full((1, 1, 4, 4), z), labels).item() for z in (-6.0, 2.0))
    assert few < 0.05
    assert many > 0.8


def test_gaps_are_those_of_the_object() -> None:
    labels = torch.zeros(1, 8, 9, dtype=torch.long)
    labels[:, 2:6, 1:4] = labels[:, 2:6, 5:8] = 1
    logits = torch.zeros(1, 1, 8, 9)
    logits[0, 0, :, 4] = 5.0  # wrong in the gap
    value = BorderWeightConfig().build_binary()(logits, labels)
    of_object, of_both = (
        BorderWeightConfig(classes=classes).build(2)(with_background(logits), labels)
        for classes in ([1], [0, 1])
    )
    torch.testing.assert_close(value, of_object)
    chosen = BorderWeightConfig(classes=[0, 1]).build_binary()(logits, labels)
    torch.testing.assert_close(chosen, of_both)


def jaccard_loss(mistakes: set[int], truth: list[int]) -> float:
    """Return 1 - IoU where exactly these pixels are wrong."""
    true = {index for index, label in enumerate(truth) if label}
    found = true ^ mistakes
    return 1 - len(true & found) / len(true | found) if true | found else 0.0


def test_lovasz_hinge_is_the_extension_of_the_jaccard_loss() -> None:
    """Sum the errors in falling order, each times what its mistake adds to the Jaccard loss."""
    truth = [1, 0, 1, 0, 0]
    logits = [0.3, -0.2, -1.5, 0.8, -3.0]
    errors = [
        max(0.0, 1 - z * (1 if label else -1)) for z, label in zip(logits, truth, strict=True)
    ]
    order = sorted(range(5), key=lambda index: -errors[index])
    steps = [jaccard_loss(set(order[:count]), truth) for count in range(6)]
    gains = [after - before for before, after in itertools.pairwise(steps)]
    expected = sum(errors[index] * gain for index, gain in zip(order, gains, strict=True))
    loss = LovaszHingeConfig().build_binary()
    value = loss(torch.tensor(logits).view(1, 1, 1, 5), torch.tensor(truth).view(1, 1, 5))
    assert value.item() == pytest.approx(expected)


def test_lovasz_hinge_of_hard_mistakes_is_their_jaccard_loss() -> None:
    truth = [1, 1, 0, 0]
    logits = torch.tensor([1.0, 0.0, 0.0, -1.0])  # errors 0 and 1: a corner of the extension
    loss = LovaszHingeConfig().build_binary()
    value = loss(logits.view(1, 1, 2, 2), torch.tensor(truth).view(1, 2, 2))
    assert value.item() == pytest.approx(jaccard_loss({1, 2}, truth))


def test_lovasz_hinge_per_image_is_the_mean_over_the_pictures(batch: tuple[Tensor, Tensor]) -> None:
    whole = LovaszHingeConfig().build_binary()
    single = LovaszHingeConfig(per_image=True).build_binary()
    logits, labels = batch
    parts = [whole(logits[i : i + 1], labels[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(single(logits, labels), torch.stack(parts).mean())


def test_lovasz_hinge_is_for_binary_networks() -> None:
    with pytest.raises(ConfigError, match=r"3 classes: set network.binary: true, or take lovasz_"):
        LovaszHingeConfig().build(3)
