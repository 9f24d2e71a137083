"""VGG-16: what the paper's table says, how odd sizes are pooled, and its atrous form."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from rtseg.networks.counting import count_parameters
from rtseg.networks.encoders.vgg import VGG16, MaxPooling


def on_meta(output_stride: int = 32, **options: int | bool) -> VGG16:
    with torch.device("meta"):
        return VGG16(output_stride, **options).eval()


def convolutions(encoder: VGG16) -> list[nn.Conv2d]:
    return [layer for layer in encoder.features if isinstance(layer, nn.Conv2d)]


def test_parameters_are_those_of_the_papers_column_d() -> None:
    fully_connected = 25_088 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 1000 + 1000
    assert count_parameters(on_meta()) == 138_357_544 - fully_connected
    assert count_parameters(on_meta(batch_norm=True)) == 138_365_992 - fully_connected


def test_thirteen_convolutions_with_biases_and_a_pooling_behind_each_stage() -> None:
    encoder = on_meta()
    assert [(conv.kernel_size, conv.bias is None) for conv in convolutions(encoder)] == [
        ((3, 3), False)
    ] * 13
    pooled = [i for i, layer in enumerate(encoder.features) if isinstance(layer, MaxPooling)]
    assert pooled == [4, 9, 16, 23, 30]


def test_parameter_names_are_those_of_published_weights() -> None:
    assert {"features.0.weight", "features.28.bias"} <= set(on_meta().state_dict())
    assert {"features.1.running_var", "features.40.weight"} <= set(
        on_meta(batch_norm=True).state_dict()
    )


@pytest.mark.parametrize("hw", [(8, 10), (7, 10), (8, 9), (1, 1)])
def test_poolings_round_up_as_ceil_mode_does(hw: tuple[int, int]) -> None:
    x = torch.randn(2, 3, *hw).relu()
    assert torch.equal(MaxPooling()(x), F.max_pool2d(x, 2, ceil_mode=True))


@pytest.mark.parametrize(("hw", "stride"), [((8, 10), 2), ((7, 9), 2), ((7, 9), 1)])
def test_poolings_of_three_keep_the_grid_of_those_of_two(hw: tuple[int, int], stride: int) -> None:
    pooled = MaxPooling(3, stride)(torch.randn(1, 2, *hw).relu())
    assert pooled.shape[-2:] == tuple(-(-size // stride) for size in hw)


@pytest.mark.parametrize(
    ("output_stride", "rates", "strides"),
    [
        (32, [1] * 13, [2] * 5),
        (16, [1] * 13, [2, 2, 2, 2, 1]),
        (8, [1] * 10 + [2] * 3, [2, 2, 2, 1, 1]),
    ],
)
def test_atrous_rates_take_the_place_of_strides(
    output_stride: int, rates: list[int], strides: list[int]
) -> None:
    encoder = on_meta(output_stride, pool_kernel=3)
    poolings = [layer for layer in encoder.features if isinstance(layer, MaxPooling)]
    assert [conv.dilation[0] for conv in convolutions(encoder)] == rates
    assert [pooling.stride for pooling in poolings] == strides
    assert {pooling.kernel for pooling in poolings} == {3}


def test_indexed_maps_are_the_pooled_ones() -> None:
    encoder = VGG16(batch_norm=True).eval()
    images = torch.randn(1, 3, 32, 64)
    with torch.no_grad():
        last, indices = encoder.forward_indexed(images)
        maps = encoder(images)
    assert torch.equal(last, maps[-1])
    assert [each.lower.shape for each in indices] == [each.shape for each in maps]
