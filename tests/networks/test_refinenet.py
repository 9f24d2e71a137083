"""RefineNet and its light-weight form: blocks by their formulas, widths, published counts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rtseg.networks import SegmentationNetwork, build_network
from rtseg.networks.counting import count_gmacs, count_parameters
from rtseg.networks.encoders.mobilenet_v2 import STAGES
from rtseg.networks.refinenet import (
    POOLING_SCALE,
    RESIDUAL_SCALE,
    ChainedResidualPooling,
    LightWeightBlock,
    RefineBlock,
    ResidualConvUnit,
)


def on_meta(name: str, num_classes: int = 21) -> SegmentationNetwork:
    with torch.device("meta"):
        return build_network(name, num_classes).eval()


def empty(height: int, width: int) -> Tensor:
    return torch.empty(1, 3, height, width, device="meta")


def decoder_kernels(network: SegmentationNetwork) -> set[tuple[int, ...]]:
    blocks = network.get_submodule("blocks")
    return {each.kernel_size for each in blocks.modules() if isinstance(each, nn.Conv2d)}


@pytest.mark.parametrize(
    ("name", "parameters_m"),
    [
        ("refinenet-resnet101", 118),
        ("lw-refinenet-resnet50", 27.4),
        ("lw-refinenet-resnet101", 46.4),
        ("lw-refinenet-mobilenet-v2", 3.28),
    ],
)
def test_parameters_are_the_published_ones(name: str, parameters_m: float) -> None:
    assert count_parameters(on_meta(name)) / 1e6 == pytest.approx(parameters_m, rel=0.005)


@pytest.mark.parametrize(
    ("name", "hw", "gmacs"),
    [
        # Published beside 625x468, but only 512x512 gives them, for ResNet-50 and -101 alike.
        ("lw-refinenet-resnet50", (512, 512), 33),
        ("lw-refinenet-resnet101", (512, 512), 52),
        ("lw-refinenet-mobilenet-v2", (625, 468), 9.3),
    ],
)
def test_multiply_adds_are_the_published_ones(name: str, hw: tuple[int, int], gmacs: float) -> None:
    assert count_gmacs(on_meta(name), hw) == pytest.approx(gmacs, rel=0.04)


def test_logits_of_odd_sizes_have_stride_4() -> None:
    for name in ("refinenet-resnet18", "lw-refinenet-mobilenet-v2"):
        assert on_meta(name, 4)(empty(65, 99)).shape == (1, 4, 17, 25)


def test_the_light_weight_form_has_no_kernel_above_1x1_before_its_classes() -> None:
    assert decoder_kernels(on_meta("lw-refinenet-resnet50")) == {(1, 1)}
    assert decoder_kernels(on_meta("refinenet-resnet50")) == {(3, 3)}


@pytest.mark.parametrize(
    ("name", "widths"),
    [
        ("refinenet-resnet101", (512, 256, 256, 256)),
        ("refinenet-resnet18", (256, 128, 128, 128)),
        ("lw-refinenet-resnet50", (512, 256, 256, 256)),
        ("lw-refinenet-mobilenet-v2", (256, 256, 256, 256)),
    ],
)
def test_blocks_have_the_published_widths(name: str, widths: tuple[int, ...]) -> None:
    poolings = [
        each for each in on_meta(name).modules() if isinstance(each, ChainedResidualPooling)
    ]
    assert tuple(each.convs[0].out_channels for each in poolings) == widths
    assert [len(each.convs) for each in poolings] == [4] * 4


def test_a_full_block_has_five_residual_units() -> None:
    for block in on_meta("refinenet-resnet101").get_submodule("blocks"):
        units = [each for each in block.modules() if isinstance(each, ResidualConvUnit)]
        assert len(units) == 5


def test_mobilenet_gives_all_its_stages_from_stride_4_on() -> None:
    blocks = on_meta("lw-refinenet-mobilenet-v2").get_submodule("blocks")
    inputs = [[conv.in_channels for conv in block.projects] for block in blocks]
    assert inputs == [[160, 320], [64, 96], [32], [24]]
    assert [each for coarse_first in reversed(inputs) for each in coarse_first] == [
        channels for _, channels, _, _ in STAGES[1:]
    ]


def test_chained_pooling_adds_maxima_of_ever_larger_windows() -> None:
    pooling = ChainedResidualPooling(1, 1, length=3)
    for conv in pooling.convs:
        nn.init.constant_(conv.weight, 1 / POOLING_SCALE)
    maps = torch.zeros(1, 1, 21, 21)
    maps[..., 10, 10] = 2
    maps[..., 0, 0] = -5  # the ReLU in front lets nothing of it through
    with torch.no_grad():
        total = pooling(maps)
    expected = F.relu(maps)
    for reach in (2, 4, 6):
        expected[..., 10 - reach : 11 + reach, 10 - reach : 11 + reach] += 2
    torch.testing.assert_close(total, expected)


def test_a_residual_unit_is_its_formula() -> None:
    unit, maps = ResidualConvUnit(3), torch.randn(2, 3, 6, 7)
    inner = F.conv2d(F.relu(maps), unit.conv1.weight, unit.conv1.bias, padding=1)
    expected = maps + RESIDUAL_SCALE * F.conv2d(F.relu(inner), unit.conv2.weight, padding=1)
    torch.testing.assert_close(unit(maps), expected)


def still(block: nn.Module) -> None:
    """Take the residual units and the chained pooling out of a block, but for the ReLU."""
    for module in block.modules():
        if isinstance(module, ResidualConvUnit):
            nn.init.zeros_(module.conv2.weight)
        elif isinstance(module, ChainedResidualPooling):
            for conv in module.convs:
                nn.init.zeros_(conv.weight)


def test_a_block_fuses_its_map_with_the_resized_coarser_one() -> None:
    block = RefineBlock(3, 4, 5)
    still(block)
    fine, coarse = torch.randn(1, 3, 8, 10), torch.randn(1, 5, 4, 5)
    own = block.fuse_fine(block.project(fine))
    other = F.interpolate(block.fuse_coarse(coarse), size=(8, 10), mode="bilinear")
    torch.testing.assert_close(block(fine, coarse), F.relu(own + other))


def test_a_light_weight_block_adds_up_all_its_maps() -> None:
    block = LightWeightBlock([2, 3], 4, 5, has_fusion=False)
    still(block)
    first, second, coarse = (torch.randn(1, each, 6, 6) for each in (2, 3, 5))
    own = block.projects[0](first) + block.projects[1](second)
    expected = F.relu(own + block.fuse_coarse(coarse))
    torch.testing.assert_close(block([first, second], coarse), expected)
