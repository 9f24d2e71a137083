"""Encoders: sizes, strides, published counts, and that atrous rates keep what a kernel sees."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rtseg.errors import ConfigError
from rtseg.networks.counting import count_parameters
from rtseg.networks.encoders import ENCODERS
from rtseg.networks.encoders.resnet import BasicBlock, ResNet

NAMES = list(ENCODERS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("output_stride", [8, 16, 32])
@pytest.mark.parametrize("hw", [(64, 96), (65, 99)])
def test_maps_have_the_channels_and_strides_that_are_promised(
    name: str, output_stride: int, hw: tuple[int, int]
) -> None:
    with torch.device("meta"):
        encoder = ENCODERS[name](output_stride)
    maps = encoder(torch.empty(2, 3, *hw, device="meta"))
    assert encoder.strides[-1] == output_stride
    assert [tuple(each.shape) for each in maps] == [
        (2, channels, *(-(-size // stride) for size in hw))
        for channels, stride in zip(encoder.channels, encoder.strides, strict=True)
    ]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("resnet18", 11_176_512),
        ("resnet34", 21_284_672),
        ("resnet50", 23_508_032),
        ("resnet101", 42_500_160),
        ("mobilenet-v2", 3_504_872 - 1_281_000 - (320 * 1280 + 2 * 1280)),
        ("mobilenet-v3", 2_971_952),
        ("xception65", 37_867_312),
    ],
)
def test_parameters_are_those_of_the_classifiers_trunk(name: str, parameters: int) -> None:
    with torch.device("meta"):
        assert count_parameters(ENCODERS[name](32)) == parameters


def shaken(encoder: nn.Module) -> nn.Module:
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.bias, -0.1, 0.1)
    return encoder.eval().double()


@pytest.mark.parametrize("output_stride", [8, 16])
@pytest.mark.parametrize(("name", "index"), [("mobilenet-v2", -1), ("resnet18", 3)])
def test_atrous_maps_hold_the_strided_ones(name: str, index: int, output_stride: int) -> None:
    strided = shaken(ENCODERS[name](32))
    atrous = ENCODERS[name](output_stride).eval().double()
    atrous.load_state_dict(strided.state_dict())
    images = torch.randn(1, 3, 64, 96, dtype=torch.float64)
    with torch.no_grad():
        coarse, fine = strided(images)[index], atrous(images)[index]
    step = fine.shape[-1] // coarse.shape[-1]
    assert step == max(1, strided.strides[index] // output_stride)
    torch.testing.assert_close(fine[..., ::step, ::step], coarse)


def test_multi_grid_multiplies_the_rates_of_the_last_stage_alone() -> None:
    plain = ResNet(BasicBlock, (1, 1, 1, 2), output_stride=16, multi_grid=(1, 1))
    grid = ResNet(BasicBlock, (1, 1, 1, 2), output_stride=16, multi_grid=(3, 5))
    strided = ResNet(BasicBlock, (1, 1, 1, 2), output_stride=32, multi_grid=(3, 5))

    def rates(encoder: ResNet) -> list[int]:
        return [m.dilation[0] for m in encoder.modules() if getattr(m, "kernel_size", 0) == (3, 3)]

    assert rates(plain) == [1] * 6 + [2] * 4
    assert rates(grid) == [1] * 6 + [6, 6, 10, 10]
    assert rates(strided) == [1] * 10


def test_map_of_stride_is_the_last_of_that_stride() -> None:
    with torch.device("meta"):
        assert ENCODERS["resnet18"](16).map_of_stride(4) == 1
        assert ENCODERS["mobilenet-v2"](16).map_of_stride(16) == 4


def test_parameter_names_are_those_of_published_weights() -> None:
    with torch.device("meta"):
        resnet = set(ENCODERS["resnet50"](32).state_dict())
        mobilenet = set(ENCODERS["mobilenet-v2"](32).state_dict())
    assert {"conv1.weight", "layer1.0.conv3.weight", "layer4.0.downsample.1.running_var"} <= resnet
    assert {
        "features.0.0.weight",
        "features.1.conv.1.weight",
        "features.17.conv.3.bias",
    } <= mobilenet


@pytest.mark.parametrize("output_stride", [0, 4, 12, 64])
def test_other_output_strides_are_refused(output_stride: int) -> None:
    with pytest.raises(ConfigError, match="choose one of 8, 16, 32"):
        ENCODERS["resnet18"](output_stride)
