"""The whole loss: what each head adds, boundaries, a teacher, and settings that can't be used."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from rtseg.classes import VOID
from rtseg.config import validate
from rtseg.errors import ConfigError
from rtseg.networks.network import TrainingHead
from rtseg.training.class_weights import count_classes
from rtseg.training.criterion import Criterion, CriterionConfig
from rtseg.training.losses.boundary import BoundaryLoss
from rtseg.training.losses.cross_entropy import CrossEntropyConfig
from rtseg.training.losses.ohem import OhemConfig

K = 5
MAIN_ALONE = {"main": TrainingHead(1.0)}
CASCADE = {
    "main": TrainingHead(1.0, resize="labels"),
    "middle": TrainingHead(0.4, resize="labels"),
    "low": TrainingHead(0.16, resize="labels"),
}
WITH_BOUNDARY = {
    "main": TrainingHead(1.0),
    "detail": TrainingHead(0.4),
    "boundary": TrainingHead(20.0, target="boundary"),
}


def make_labels() -> Tensor:
    """Return [2, 16, 24]: class 0 left, 1 right, 2 below, a void corner."""
    labels = torch.zeros(2, 16, 24, dtype=torch.int64)
    labels[:, :, 12:], labels[:, 10:] = 1, 2
    labels[:, :4, :4] = VOID
    return labels


def config(**values: object) -> CriterionConfig:
    return validate(CriterionConfig, values, "train.yaml")


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits, labels, ignore_index=VOID)


def enlarge(logits: Tensor) -> Tensor:
    return F.interpolate(logits, size=(16, 24), mode="bilinear", align_corners=False)


def test_the_default_is_cross_entropy_at_label_size() -> None:
    logits, labels = torch.randn(2, K, 4, 6), make_labels()
    total, parts = Criterion(CriterionConfig(), MAIN_ALONE, K)({"main": logits}, labels)
    torch.testing.assert_close(total, cross_entropy(enlarge(logits), labels))
    assert list(parts) == ["main/cross_entropy"]
    torch.testing.assert_close(parts["main/cross_entropy"], total)


def test_labels_are_brought_to_the_logits_by_their_middle() -> None:
    labels = make_labels()
    outputs = {name: torch.randn(2, K, 16 // s, 24 // s) for name, s in
               [("main", 1), ("middle", 2), ("low", 4)]}  # fmt: skip
    total, parts = Criterion(CriterionConfig(), CASCADE, K)(outputs, labels)
    expected = (
        cross_entropy(outputs["main"], labels)
        + 0.4 * cross_entropy(outputs["middle"], labels[:, 1::2, 1::2])
        + 0.16 * cross_entropy(outputs["low"], labels[:, 2::4, 2::4])
    )
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(sum(parts.values()), total)


def test_terms_add_up_with_their_weights() -> None:
    terms = [
        {"name": "cross_entropy", "label_smoothing": 0.1, "weight": 0.5},
        {"name": "ohem", "threshold": 0.6, "weight": 2.0},
    ]
    logits, labels = torch.randn(2, K, 16, 24), make_labels()
    total, parts = Criterion(config(terms=terms), MAIN_ALONE, K)({"main": logits}, labels)
    smooth = CrossEntropyConfig(label_smoothing=0.1).build(K)(logits, labels)
    hard = OhemConfig(threshold=0.6).build(K)(logits, labels)
    torch.testing.assert_close(total, 0.5 * smooth + 2 * hard)
    torch.testing.assert_close(parts, {"main/cross_entropy": 0.5 * smooth, "main/ohem": 2 * hard})


def test_auxiliary_heads_can_have_their_own_terms() -> None:
    heads = {"main": TrainingHead(1.0), "aux": TrainingHead(0.4)}
    settings = config(terms=[{"name": "ohem"}], auxiliary=[{"name": "cross_entropy"}])
    outputs, labels = {name: torch.randn(2, K, 16, 24) for name in heads}, make_labels()
    _, parts = Criterion(settings, heads, K)(outputs, labels)
    assert list(parts) == ["main/ohem", "aux/cross_entropy"]
    expected = 0.4 * cross_entropy(outputs["aux"], labels)
    torch.testing.assert_close(parts["aux/cross_entropy"], expected)


def test_a_term_that_stands_twice_is_numbered() -> None:
    terms = [{"name": "dice"}, {"name": "focal"}, {"name": "focal", "gamma": 1}]
    outputs = {"main": torch.randn(2, K, 16, 24)}
    _, parts = Criterion(config(terms=terms), MAIN_ALONE, K)(outputs, make_labels())
    assert list(parts) == ["main/dice", "main/focal_2", "main/focal_3"]


def test_boundary_head_and_the_pixels_it_sees() -> None:
    labels = make_labels()
    outputs = {"main": torch.randn(2, K, 8, 12), "detail": torch.randn(2, K, 8, 12)}
    outputs["boundary"] = 4 * torch.randn(2, 1, 8, 12)
    total, parts = Criterion(CriterionConfig(), WITH_BOUNDARY, K)(outputs, labels)
    main, boundary = enlarge(outputs["main"]), enlarge(outputs["boundary"])
    seen = labels.where(boundary.squeeze(1).sigmoid() > 0.8, VOID)
    expected = {
        "main/cross_entropy": cross_entropy(main, labels),
        "detail/cross_entropy": 0.4 * cross_entropy(enlarge(outputs["detail"]), labels),
        "boundary": 20 * BoundaryLoss(4)(boundary, labels),
        "boundary_aware/cross_entropy": cross_entropy(main, seen),
    }
    torch.testing.assert_close(parts, expected)
    torch.testing.assert_close(total, sum(expected.values()))


def test_the_boundary_settings_are_heard() -> None:
    labels = make_labels()
    outputs = {"main": torch.randn(2, K, 16, 24), "detail": torch.randn(2, K, 16, 24)}
    outputs["boundary"] = torch.randn(2, 1, 16, 24)
    settings = config(boundary={"aware_weight": 0, "width_px": 2})
    _, parts = Criterion(settings, WITH_BOUNDARY, K)(outputs, labels)
    assert list(parts) == ["main/cross_entropy", "detail/cross_entropy", "boundary"]
    expected = 20 * BoundaryLoss(2)(outputs["boundary"], labels)
    torch.testing.assert_close(parts["boundary"], expected)


def test_a_network_that_sees_no_boundary_has_no_boundary_aware_loss() -> None:
    outputs = {"main": torch.randn(2, K, 16, 24), "detail": torch.randn(2, K, 16, 24)}
    outputs["boundary"] = torch.full((2, 1, 16, 24), -9.0)
    total, parts = Criterion(CriterionConfig(), WITH_BOUNDARY, K)(outputs, make_labels())
    assert parts["boundary_aware/cross_entropy"] == 0
    assert total.isfinite()


def test_a_teacher_of_another_size_is_learned_from() -> None:
    student, teacher = torch.randn(2, K, 8, 12), torch.randn(2, K, 4, 6)
    labels = make_labels()
    settings = config(distillation={"weight": 0.7, "temperature": 2.0, "mask_void": False})
    criterion = Criterion(settings, MAIN_ALONE, K)
    total, parts = criterion({"main": student}, labels, teacher)
    soft = (enlarge(student) / 2).log_softmax(1)
    truth = (enlarge(teacher) / 2).softmax(1)
    divergence = (truth * (truth.log() - soft)).sum(1).mean()
    torch.testing.assert_close(parts["distillation"], 0.7 * 4 * divergence)
    expected = cross_entropy(enlarge(student), labels) + parts["distillation"]
    torch.testing.assert_close(total, expected)


def test_counted_class_weights_reach_every_head() -> None:
    labels = make_labels()
    counts = count_classes(labels.numpy().astype(np.uint8), K)
    heads = {"main": TrainingHead(1.0), "aux": TrainingHead(0.5)}
    outputs = {name: torch.randn(2, K, 16, 24) for name in heads}
    settings = config(terms=[{"name": "cross_entropy", "class_weights": "enet"}])
    total, _ = Criterion(settings, heads, K, counts)(outputs, labels)
    weight = torch.tensor(counts.enet_weights(), dtype=torch.float32)
    expected = sum(
        head.weight * F.cross_entropy(outputs[name], labels, weight=weight, ignore_index=VOID)
        for name, head in heads.items()
    )
    torch.testing.assert_close(total, expected)
    with pytest.raises(ConfigError, match="not counted"):
        Criterion(settings, heads, K)


def test_under_autocast_it_works_in_float32_and_in_one_graph() -> None:
    labels = make_labels()
    settings = config(terms=[{"name": "ohem"}, {"name": "lovasz_softmax"}], distillation={})
    criterion = Criterion(settings, WITH_BOUNDARY, K)
    outputs = {"main": torch.randn(2, K, 8, 12), "detail": torch.randn(2, K, 8, 12)}
    outputs["boundary"] = torch.randn(2, 1, 8, 12)
    outputs = {name: logits.bfloat16().requires_grad_() for name, logits in outputs.items()}
    teacher = torch.randn(2, K, 8, 12)
    compiled = torch.compile(criterion, backend="eager", fullgraph=True)
    with torch.autocast("cpu", torch.bfloat16):
        total, parts = compiled(outputs, labels, teacher)
    total.backward()
    assert total.dtype == torch.float32
    exact, _ = criterion({name: one.float() for name, one in outputs.items()}, labels, teacher)
    torch.testing.assert_close(total, exact)
    for logits in outputs.values():
        assert logits.grad is not None
        assert logits.grad.isfinite().all()
        assert logits.grad.any()
    assert not any(part.requires_grad for part in parts.values())


def test_all_void_is_zero_and_a_broken_network_is_not_hidden() -> None:
    void = torch.full((1, 16, 24), VOID)
    outputs = {"main": torch.randn(1, K, 16, 24), "detail": torch.randn(1, K, 16, 24)}
    outputs["boundary"] = torch.randn(1, 1, 16, 24)
    criterion = Criterion(CriterionConfig(), WITH_BOUNDARY, K)
    assert criterion(outputs, void)[0] == 0
    outputs["main"][0, 0, 8, 8] = math.nan
    assert criterion(outputs, make_labels()[:1])[0].isnan()


def test_missing_logits_and_teachers_are_named() -> None:
    outputs, labels = {"main": torch.randn(2, K, 16, 24)}, make_labels()
    with pytest.raises(ConfigError, match=r"no logits for its heads \['detail', 'boundary'\]"):
        Criterion(CriterionConfig(), WITH_BOUNDARY, K)(outputs, labels)
    plain = Criterion(CriterionConfig(), MAIN_ALONE, K)
    with pytest.raises(ConfigError, match="distillation is off"):
        plain(outputs, labels, outputs["main"])
    learning = Criterion(config(distillation={}), MAIN_ALONE, K)
    assert learning.needs_teacher
    assert not plain.needs_teacher
    with pytest.raises(ConfigError, match="needs a teacher"):
        learning(outputs, labels)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"terms": [{"name": "focall"}]}, "'focall' found using 'name' does not match any of"),
        ({"terms": [{"name": "focal", "gama": 1}]}, "Did you mean 'gamma'"),
        ({"terms": [{"name": "focal", "threshold": 1}]}, r"unknown key 'terms.0.focal.threshold'"),
        ({"terms": [{"name": "ohem", "threshold": 1.5}]}, "less than or equal to 1"),
        (
            {"terms": [{"name": "ohem", "class_weights": "ene"}]},
            "class_weights is 'ene': allowed are none, enet, median_frequency, or a list of "
            "numbers. Did you mean 'enet'",
        ),
        ({"terms": []}, "at least 1 item"),
        ({"boundary": {"width_px": 3}}, "even number"),
    ],
)
def test_wrong_settings_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validate(CriterionConfig, values, "train.yaml")


def test_settings_survive_being_written_and_read() -> None:
    terms = [{"name": "tversky", "false_positives": 0.4}, {"name": "cross_entropy"}]
    settings = config(terms=terms, distillation={"temperature": 2})
    assert validate(CriterionConfig, settings.model_dump(), "again") == settings
    assert settings.model_dump()["terms"][0]["false_positives"] == 0.4
