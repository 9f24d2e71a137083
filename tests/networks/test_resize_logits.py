"""Labels stay on their picture whatever its size: the grid of a strided map is not stretched."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rtseg.networks import SegmentationNetwork, resize_logits
from rtseg.training.predictor import predict_logits


class Sampler(SegmentationNetwork):
    """Returns every eighth pixel of the picture, as three strided convolutions see it."""

    def __init__(self) -> None:
        super().__init__(3)
        self.pick = nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        return self.pick(images[..., ::8, ::8])


@pytest.mark.parametrize("width", range(64, 73))
@pytest.mark.parametrize("height", [64, 69])
def test_the_place_of_a_pixel_does_not_depend_on_the_size(height: int, width: int) -> None:
    ramp = torch.arange(width, dtype=torch.float32).expand(1, 3, height, width)
    columns = predict_logits(Sampler(), ramp, (height, width))[0, 0, height // 2]
    inside = slice(4, (width - 1) // 8 * 8)
    expected = torch.arange(width)[inside] - 3.5  # the cell of pixel 8 i is 8 i + 3.5 in the middle
    torch.testing.assert_close(columns[inside], expected)


def test_sizes_that_the_stride_divides_are_plainly_resized() -> None:
    logits = torch.randn(2, 5, 6, 8)
    plain = F.interpolate(logits, (48, 64), mode="bilinear", align_corners=False)
    torch.testing.assert_close(resize_logits(logits, (48, 64)), plain)
    assert resize_logits(logits, (6, 8)) is logits


def test_a_map_of_no_stride_is_stretched() -> None:
    logits = torch.randn(1, 2, 10, 10)
    plain = F.interpolate(logits, (33, 17), mode="bilinear", align_corners=False)
    torch.testing.assert_close(resize_logits(logits, (33, 17)), plain)
