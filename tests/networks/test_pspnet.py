"""PSPNet: bins, widths, the published counts, one rate in each atrous stage."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rtseg.networks import build_network
from rtseg.networks.counting import count_parameters
from rtseg.networks.pspnet import PSPNet, PyramidPooling, pooled


def on_meta(name: str, num_classes: int = 4) -> PSPNet:
    with torch.device("meta"):
        network = build_network(name, num_classes).eval()
    assert isinstance(network, PSPNet)
    return network


def empty(height: int, width: int) -> Tensor:
    return torch.empty(1, 3, height, width, device="meta")


@pytest.mark.parametrize("bins", PyramidPooling.BINS)
def test_bins_that_divide_are_the_papers(bins: int) -> None:
    maps = torch.randn(2, 3, 12, 18)
    torch.testing.assert_close(pooled(maps, bins), F.adaptive_avg_pool2d(maps, bins))


@pytest.mark.parametrize("hw", [(4, 4), (5, 7), (8, 12), (13, 29), (60, 60)])
def test_maps_of_any_size_get_their_bins(hw: tuple[int, int]) -> None:
    for bins in PyramidPooling.BINS:
        averages = pooled(torch.ones(1, 2, *hw), bins)
        assert averages.shape == (1, 2, *(min(bins, size) for size in hw))
        torch.testing.assert_close(averages, torch.ones_like(averages))


def test_pyramid_stands_beside_the_map_itself() -> None:
    pyramid = PyramidPooling(8).eval()
    maps = torch.randn(1, 8, 12, 12)
    with torch.no_grad():
        out = pyramid(maps)
        levels = [
            F.interpolate(narrow(F.adaptive_avg_pool2d(maps, bins)), (12, 12), mode="bilinear")
            for narrow, bins in zip(pyramid.narrow, (1, 2, 3, 6), strict=True)
        ]
    assert out.shape == (1, 16, 12, 12)
    torch.testing.assert_close(out, torch.cat([maps, *levels], 1))


def test_every_pixel_sees_the_whole_map() -> None:
    pyramid = PyramidPooling(8).eval()
    for narrow in pyramid.narrow:
        nn.init.uniform_(narrow[0].weight, 0.1, 0.2)
    maps = torch.rand(1, 8, 13, 17)
    changed = maps.clone()
    changed[..., 12, 16] += 50
    with torch.no_grad():
        before, after = pyramid(maps)[..., 0, 0], pyramid(changed)[..., 0, 0]
    torch.testing.assert_close(after[:, :8], before[:, :8])
    assert not torch.equal(after[:, 8:10], before[:, 8:10])
    torch.testing.assert_close(after[:, 10:], before[:, 10:])


def test_head_reads_4096_channels_and_keeps_512() -> None:
    network = on_meta("pspnet-resnet101")
    conv = network.head[1][0]
    assert (conv.in_channels, conv.out_channels, conv.kernel_size) == (4096, 512, (3, 3))
    assert [each[0].out_channels for each in network.head[0].narrow] == [512] * 4


def test_with_1024_channels_it_is_the_network_of_86_97_million() -> None:
    network = on_meta("pspnet-resnet101", 19)
    wider = 9 * 4096 * 512 + 2 * 512 + 19 * 512
    assert count_parameters(network) + wider == pytest.approx(86.97e6, rel=0.002)


def test_atrous_stages_have_one_rate_each() -> None:
    encoder = on_meta("pspnet-resnet50").encoder
    layer3, layer4 = (encoder.get_submodule(f"layer{number}") for number in (3, 4))
    for stage, expected in ((layer3, [1] + [2] * 5), (layer4, [4] * 3)):
        convs = [each for each in stage.modules() if isinstance(each, nn.Conv2d)]
        assert [c.dilation[0] for c in convs if c.kernel_size == (3, 3)] == expected


def test_auxiliary_head_counts_four_tenths() -> None:
    network = on_meta("pspnet-resnet18")
    outputs = network.forward_train(empty(65, 99))
    assert {name: head.weight for name, head in network.heads.items()} == {
        "main": 1.0,
        "auxiliary": 0.4,
    }
    assert [each.shape for each in outputs.values()] == [(1, 4, 9, 13)] * 2
