"""The dense CRF behind a network: on its logits, at the pictures' own size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rtseg.dense_crf import DenseCrfConfig, dense_crf
from rtseg.networks import SegmentationNetwork
from rtseg.networks.normalisation import Normalisation
from rtseg.training.predictor import Predictor

CPU = torch.device("cpu")
RAW = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
CRF = DenseCrfConfig(cell_px=2, reach_px=6)


class Shades(SegmentationNetwork):
    """A convolution at half the picture's size, with as many channels as classes."""

    size_multiple = 4
    min_size = 4

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.conv = nn.Conv2d(3, num_classes, 3, stride=2, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        self.check_size(images)
        logits: Tensor = self.conv(images) * 8
        return logits


def pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    coarse = rng.integers(0, 256, (2, 6, 9, 3), np.uint8)
    return [image.repeat(5, 0).repeat(5, 1)[:27, :42].copy() for image in coarse]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_labels_are_those_of_the_refined_scores(precision: str) -> None:
    predictor = Predictor(Shades(5), RAW, CPU, precision)
    refined = Predictor(predictor.network, RAW, CPU, precision, crf=CRF)
    logits = predictor.logits(pictures())
    expected = dense_crf(logits, torch.from_numpy(np.stack(pictures())), CRF)
    found = refined.logits(pictures())
    torch.testing.assert_close(found.softmax(1), expected)
    assert np.array_equal(refined.labels(pictures()), expected.argmax(1).numpy())
    assert not np.array_equal(refined.labels(pictures()), predictor.labels(pictures()))


def test_one_channel_is_object_against_rest() -> None:
    network = Shades(1)
    logits = Predictor(network, RAW, CPU, threshold=0.3).logits(pictures())
    both = torch.cat([-logits / 2, logits / 2], 1)
    expected = dense_crf(both, torch.from_numpy(np.stack(pictures())), CRF)[:, 1]
    refined = Predictor(network, RAW, CPU, threshold=0.3, crf=CRF)
    torch.testing.assert_close(refined.logits(pictures())[:, 0].sigmoid(), expected)
    assert np.array_equal(refined.labels(pictures()), (expected > 0.3).numpy())
