"""Xception-65: the released network's counts, its three flows, its atrous rates."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rtseg.networks.counting import count_gmacs, count_parameters
from rtseg.networks.deeplab import DeepLabV3Plus
from rtseg.networks.encoders.encoder import StrideBudget
from rtseg.networks.encoders.xception import MIDDLE_BLOCKS, Xception65, XceptionBlock


def on_meta(output_stride: int = 16) -> Xception65:
    with torch.device("meta"):
        return Xception65(output_stride).eval()


def depthwise(module: nn.Module) -> list[nn.Conv2d]:
    convs = [each for each in module.modules() if isinstance(each, nn.Conv2d)]
    return [each for each in convs if each.groups > 1]


def test_trunk_has_37_87_million_parameters() -> None:
    assert count_parameters(on_meta(32)) == 37_867_312


def test_v3plus_costs_what_its_authors_print() -> None:
    with torch.device("meta"):
        network = DeepLabV3Plus(19, "xception65").eval().remove_training_heads()
    assert count_gmacs(network, (1025, 2049)) == pytest.approx(418.64, rel=0.005)
    assert count_gmacs(network, (513, 513)) == pytest.approx(54.17, rel=0.005)


def test_flows_have_the_published_widths() -> None:
    encoder = on_meta()
    assert len(encoder.middle) == MIDDLE_BLOCKS == 16
    flows = (encoder.entry1, encoder.entry2, encoder.entry3, encoder.exit1, encoder.exit2)
    assert [[each.in_channels for each in depthwise(flow)] for flow in flows] == [
        [64, 128, 128],
        [128, 256, 256],
        [256, 728, 728],
        [728, 728, 1024],
        [1024, 1536, 1536],
    ]
    assert encoder.channels == (64, 256, 256, 728, 2048)


def test_low_level_map_is_taken_before_the_second_stride() -> None:
    encoder = on_meta()
    assert encoder.channels[encoder.map_of_stride(4)] == 256
    assert encoder.strides == (2, 4, 8, 16, 16)


@pytest.mark.parametrize(("output_stride", "middle", "last"), [(32, 1, 1), (16, 1, 2), (8, 2, 4)])
def test_rates_take_over_where_strides_end(output_stride: int, middle: int, last: int) -> None:
    encoder = on_meta(output_stride)
    assert {each.dilation[0] for each in depthwise(encoder.middle)} == {middle}
    assert {each.dilation[0] for each in depthwise(encoder.exit2)} == {last}


def test_blocks_without_stride_add_themselves() -> None:
    block = XceptionBlock(8, (8, 8, 8), StrideBudget(16)).eval()
    assert isinstance(block.shortcut, nn.Identity)
    x = torch.randn(1, 8, 5, 7)
    kept = x.clone()
    with torch.no_grad():
        inner, out = block.both(x)
        torch.testing.assert_close(out - block.outer(inner), x)
        nn.init.zeros_(block.outer[-1][-1].weight)
        torch.testing.assert_close(block(x), x)
    torch.testing.assert_close(x, kept, rtol=0, atol=0)


def test_blocks_at_stride_hold_the_samples_of_atrous_ones() -> None:
    strided, budget = XceptionBlock(6, (8, 8, 8), StrideBudget(32), stride=2), StrideBudget(8)
    budget.spend(8)
    atrous = XceptionBlock(6, (8, 8, 8), budget, stride=2)
    atrous.load_state_dict(strided.state_dict())
    assert budget.rate == 2
    x = torch.randn(1, 6, 12, 14)
    with torch.no_grad():
        coarse, fine = strided.eval()(x), atrous.eval()(x)
    torch.testing.assert_close(fine[..., ::2, ::2], coarse)
