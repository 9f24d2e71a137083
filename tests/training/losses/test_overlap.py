"""Dice, Jaccard and Tversky against sets that can be counted by hand."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from rtseg.classes import VOID
from rtseg.training.losses.overlap import DiceConfig, JaccardConfig, TverskyConfig

# Hard predictions: class 0 has TP 2, FP 1, FN 1; class 1 has TP 1, FP 1, FN 1; class 2 is absent.
LABELS = torch.tensor([[[0, 0, 0, 1, 1, VOID]]])
PREDICTED = torch.tensor([[[0, 0, 1, 0, 1, 2]]])
LOGITS = 100.0 * F.one_hot(PREDICTED, 3).permute(0, 3, 1, 2)


def test_hard_predictions_give_the_ratios_of_sets() -> None:
    dice = DiceConfig(smooth=0).build(3)(LOGITS, LABELS).item()
    assert dice == pytest.approx(1 - (4 / 6 + 2 / 4) / 2)
    jaccard = JaccardConfig(smooth=0).build(3)(LOGITS, LABELS).item()
    assert jaccard == pytest.approx(1 - (2 / 4 + 1 / 3) / 2)
    tversky = TverskyConfig(false_positives=0.2, false_negatives=3, smooth=0).build(3)
    assert tversky(LOGITS, LABELS).item() == pytest.approx(1 - (2 / 5.2 + 1 / 4.2) / 2)


def test_smoothing_adds_above_and_below() -> None:
    jaccard = JaccardConfig(smooth=2).build(3)(LOGITS, LABELS).item()
    assert jaccard == pytest.approx(1 - (4 / 6 + 3 / 5) / 2)


def test_chances_are_summed_over_the_batch() -> None:
    chances = torch.tensor([0.7, 0.4, 0.9])
    logits = torch.stack([chances.log(), (1 - chances).log()], 1)[:, :, None, None]
    labels = torch.tensor([0, 0, 1]).view(3, 1, 1)
    overlap_0 = (0.7 + 0.4) / (0.7 + 0.4 + 0.5 * 0.9 + 0.5 * (0.3 + 0.6))
    overlap_1 = 0.1 / (0.1 + 0.5 * (0.3 + 0.6) + 0.5 * 0.9)
    loss = DiceConfig(smooth=0).build(2)(logits, labels).item()
    assert loss == pytest.approx(1 - (overlap_0 + overlap_1) / 2)
