"""Counts over all thresholds against scores at one."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from rtseg import metrics
from rtseg.classes import VOID
from rtseg.errors import DataError
from rtseg.networks.binary import object_mask, threshold_logit, with_background
from rtseg.training.mask_precision import mask_hits, mask_precision
from rtseg.training.threshold_curve import THRESHOLDS, ThresholdCurve, threshold_levels


@pytest.fixture
def pictures() -> tuple[np.ndarray, torch.Tensor]:
    """Labels uint8 [3, H, W] with void, the last without object, and logits [3, 1, H, W]."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (3, 9, 11), np.uint8)
    truth[2] = 0
    truth[0, 0] = VOID
    logits = torch.from_numpy(truth != 0) * 2.0 - 1 + torch.randn(3, 9, 11)
    return truth, logits.unsqueeze(1)


def curve_of(truth: np.ndarray, logits: torch.Tensor) -> ThresholdCurve:
    pairs = zip(truth, threshold_levels(logits), strict=True)
    return sum((ThresholdCurve.of_picture(*pair) for pair in pairs), ThresholdCurve.nothing())


def test_every_threshold_is_what_a_pass_at_it_gives(
    pictures: tuple[np.ndarray, torch.Tensor],
) -> None:
    truth, logits = pictures
    curve = curve_of(truth, logits)
    for index, threshold in enumerate(THRESHOLDS):
        labels = object_mask(logits, threshold).to(torch.uint8).numpy()
        confusion = metrics.confusion_counts(truth, labels, 2)
        np.testing.assert_array_equal(curve.confusion(threshold), confusion)
        assert curve.iou()[index] == metrics.iou(confusion)[1]
        each = [mask_precision(*pair) for pair in zip(truth, labels, strict=True)]
        assert curve.mask_precision()[index] == pytest.approx(np.mean(each))
    iou = curve.iou()
    np.testing.assert_allclose(curve.dice(), 2 * iou / (1 + iou))
    assert curve.iou().max() == curve.iou()[THRESHOLDS.index(curve.best_threshold())]


def test_a_logit_on_a_threshold_is_not_above_it() -> None:
    logits = torch.tensor([threshold_logit(0.3), threshold_logit(0.3) + 1e-4, -100.0, 100.0])
    levels = threshold_levels(logits.view(1, 1, 1, 4))
    assert levels.ravel().tolist() == [29, 30, 0, 99]
    assert object_mask(logits.view(1, 1, 1, 4), 0.3).ravel().tolist() == [False, True, False, True]


def test_the_best_threshold_is_found() -> None:
    truth = np.array([[0, 0, 0, 1, 1, 1]], np.uint8)
    probabilities = torch.tensor([0.05, 0.1, 0.205, 0.22, 0.6, 0.9])
    curve = curve_of(truth[None], probabilities.logit().view(1, 1, 1, 6))
    assert curve.best_threshold() == 0.21
    assert curve.confusion(0.21).tolist() == [[3, 0, 0], [0, 3, 0]]


def test_of_many_best_thresholds_the_one_nearest_to_a_half_is_taken() -> None:
    logits = torch.tensor([-2.0, 3.0]).view(1, 1, 1, 2)
    assert curve_of(np.array([[[0, 1]]], np.uint8), logits).best_threshold() == 0.5
    assert curve_of(np.array([[[0, 0]]], np.uint8), logits).best_threshold() == 0.5
    assert ThresholdCurve.nothing().best_threshold() == 0.5


def test_a_picture_that_is_all_void_counts_nowhere() -> None:
    void = np.full((2, 2), VOID, np.uint8)
    curve = ThresholdCurve.of_picture(void, np.zeros((2, 2), np.uint8))
    assert curve.pictures == 0
    assert np.isnan(curve.mask_precision()).all()
    assert json.loads(json.dumps(curve.to_dict(), allow_nan=False))["dice"][0] is None


def test_two_channels_have_the_probabilities_of_one() -> None:
    logits = torch.randn(2, 1, 3, 3)
    both = with_background(logits).softmax(1)
    torch.testing.assert_close(both[:, 1:], logits.sigmoid())
    torch.testing.assert_close(both[:, :1], 1 - logits.sigmoid())


def mask(*pixels: int) -> np.ndarray:
    flat = np.zeros(20, np.uint8)
    flat[list(pixels)] = 1
    return flat.reshape(4, 5)


@pytest.mark.parametrize(
    ("truth", "found", "expected"),
    [
        (mask(), mask(), 1.0),  # rightly nothing
        (mask(), mask(3), 0.0),
        (mask(3), mask(), 0.0),
        (mask(1, 2, 3), mask(1, 2, 3), 1.0),
        (mask(1, 2), mask(1), 0.0),  # IoU 1/2 doesn't exceed 0.5
        (mask(1, 2, 3), mask(1, 2), 0.4),  # 2/3 exceeds 0.5, 0.55, 0.6, 0.65
        (mask(*range(20)), mask(*range(19)), 0.9),  # 0.95 exceeds all but 0.95
    ],
)
def test_mask_precision_by_hand(truth: np.ndarray, found: np.ndarray, expected: float) -> None:
    assert mask_precision(truth, found) == pytest.approx(expected)


def test_mask_precision_leaves_void_out() -> None:
    truth = mask(1, 2)
    truth[0, 3] = VOID
    assert mask_precision(truth, mask(1, 2, 3)) == 1
    with pytest.raises(DataError, match="one shape"):
        mask_precision(truth, truth[1:])


def test_hits_of_many_pictures_at_once() -> None:
    both, either = np.array([[0, 1], [2, 19]]), np.array([[0, 2], [3, 20]])
    assert mask_hits(both, either).tolist() == [[10, 0], [4, 9]]
