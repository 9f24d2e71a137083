"""The weight of gaps between objects, measured on bars whose distances are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rtseg.classes import VOID
from rtseg.errors import ConfigError
from rtseg.training.losses.border_weight import BorderWeightConfig, gap_map
from rtseg.training.losses.cross_entropy import CrossEntropyConfig


def two_bars(gap: int) -> np.ndarray:
    """Class 1 left and right of a gap of class 0, which reaches to both ends."""
    labels = np.zeros((30, 20 + gap), np.uint8)
    labels[:, 4:10] = labels[:, 10 + gap : 16 + gap] = 1
    return labels


@pytest.mark.parametrize("gap", [1, 3, 6])
def test_a_gap_weighs_by_its_width(gap: int) -> None:
    gaps = gap_map(two_bars(gap), [1], sigma_px=5)
    # From any pixel between them the nearest pixels of both bars are gap + 1 apart.
    expected = np.exp(-((gap + 1) ** 2) / 50)
    np.testing.assert_allclose(gaps[:, 10 : 10 + gap], expected, rtol=1e-5)
    # Outside: 2 px from the left bar, 8 + gap from the right one.
    np.testing.assert_allclose(gaps[:, 2], np.exp(-((10 + gap) ** 2) / 50), rtol=1e-5)
    # On the left bar's last column the right bar is gap + 1 away, itself 0.
    np.testing.assert_allclose(gaps[:, 9], expected, rtol=1e-5)


def test_the_two_nearest_of_many_objects_count() -> None:
    labels = np.zeros((21, 41), np.uint8)
    for x in (5, 15, 35):
        labels[10, x] = 1
    y, x = np.mgrid[:21, :41]
    distances = np.sort([np.hypot(y - 10, x - px) for px in (5, 15, 35)], axis=0)
    expected = np.exp(-((distances[0] + distances[1]) ** 2) / (2 * 5**2))
    np.testing.assert_allclose(gap_map(labels, [1], 5), expected, atol=4e-4)


def test_objects_of_other_classes_make_no_gap() -> None:
    labels = two_bars(2)
    labels[:, 12:] = np.where(labels[:, 12:] == 1, 2, 0)
    assert gap_map(labels, [1, 2], 5).max() == 0
    assert gap_map(two_bars(2), [0], 5)[:, 4:10].max() > 0
    assert gap_map(two_bars(2), [3], 5).max() == 0


def test_the_loss_weighs_pixels_by_class_and_gap() -> None:
    labels = two_bars(2)
    labels[:5] = VOID
    truth, logits = torch.from_numpy(labels).long()[None], torch.randn(1, 2, *labels.shape)
    config = BorderWeightConfig(class_weights=[1.0, 3.0], classes=[1], gap_weight=10, sigma_px=5)
    weights = np.where(labels == 1, 3.0, 1.0) + 10 * gap_map(labels, [1], 5)
    weights = torch.from_numpy(np.where(labels == VOID, 0, weights))
    losses = -logits.log_softmax(1).gather(1, truth.where(truth != VOID, 0)[:, None])[0, 0]
    expected = (weights * losses).sum() / weights.sum()
    assert config.build(2)(logits, truth).item() == pytest.approx(expected.item(), rel=1e-5)


def test_without_a_gap_weight_it_is_the_cross_entropy() -> None:
    logits, labels = torch.randn(1, 2, 30, 22), torch.from_numpy(two_bars(2)).long()[None]
    torch.testing.assert_close(
        BorderWeightConfig(gap_weight=0).build(2)(logits, labels),
        CrossEntropyConfig().build(2)(logits, labels),
    )


def test_a_class_out_of_the_table_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"has the classes \[1, 3\]; allowed are ids from 0 to 2"):
        BorderWeightConfig(classes=[1, 3]).build(3)
