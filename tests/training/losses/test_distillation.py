"""Distillation against the definition of the KL divergence."""

from __future__ import annotations

import math

import pytest
import torch

from rtseg.classes import VOID
from rtseg.training.losses.distillation import Distillation, DistillationConfig

NO_VOID = torch.zeros(1, 1, 1, dtype=torch.int64)


def test_it_is_the_divergence_of_the_teachers_answer() -> None:
    student = torch.tensor([0.2, 0.8]).log().view(1, 2, 1, 1)
    teacher = torch.tensor([0.6, 0.4]).log().view(1, 2, 1, 1) + 5
    expected = 0.6 * math.log(0.6 / 0.2) + 0.4 * math.log(0.4 / 0.8)
    loss = Distillation(DistillationConfig(temperature=1))
    assert loss(student, teacher, NO_VOID).item() == pytest.approx(expected, rel=1e-5)


def test_the_temperature_softens_and_scales() -> None:
    student, teacher = torch.randn(2, 5, 3, 4), torch.randn(2, 5, 3, 4)
    soft_student, soft_teacher = (student / 3).softmax(1), (teacher / 3).softmax(1)
    expected = 9 * (soft_teacher * (soft_teacher / soft_student).log()).sum(1).mean()
    labels = torch.zeros(2, 3, 4, dtype=torch.int64)
    loss = Distillation(DistillationConfig(temperature=3))(student, teacher, labels)
    torch.testing.assert_close(loss, expected)


def test_the_teacher_itself_has_nothing_to_learn() -> None:
    logits = torch.randn(1, 4, 3, 3)
    labels = torch.zeros(1, 3, 3, dtype=torch.int64)
    assert Distillation(DistillationConfig())(logits, logits, labels).abs() < 1e-6


def test_void_pixels_count_only_where_asked() -> None:
    student, teacher = torch.randn(1, 4, 1, 2), torch.randn(1, 4, 1, 2)
    labels = torch.tensor([[[1, VOID]]])
    first = Distillation(DistillationConfig())(student[..., :1], teacher[..., :1], labels[..., :1])
    masked = Distillation(DistillationConfig())(student, teacher, labels)
    unmasked = Distillation(DistillationConfig(mask_void=False))(student, teacher, labels)
    torch.testing.assert_close(masked, first)
    assert not torch.isclose(unmasked, masked)


def test_no_gradient_reaches_the_teacher() -> None:
    student, teacher = (torch.randn(1, 4, 2, 2, requires_grad=True) for _ in range(2))
    loss = Distillation(DistillationConfig())
    loss(student, teacher, torch.zeros(1, 2, 2, dtype=torch.int64)).backward()
    assert teacher.grad is None
    assert student.grad is not None
    assert student.grad.any()
