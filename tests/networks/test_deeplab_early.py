"""DeepLab v1 and v2: rates and strides, the published count, the sum of branches."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from rtseg.networks import SegmentationNetwork, build_network
from rtseg.networks.counting import count_parameters
from rtseg.networks.deeplab_early import DeepLabV1, DeepLabV2, LargeFieldOfView
from rtseg.networks.encoders.resnet import resnet18
from rtseg.networks.encoders.vgg import MaxPooling


def on_meta(name: str, num_classes: int = 4) -> SegmentationNetwork:
    with torch.device("meta"):
        return build_network(name, num_classes).eval()


def empty(height: int, width: int) -> Tensor:
    return torch.empty(1, 3, height, width, device="meta")


def rates(module: nn.Module) -> list[int]:
    convs = [each for each in module.modules() if isinstance(each, nn.Conv2d)]
    return [each.dilation[0] for each in convs if each.kernel_size == (3, 3)]


def test_v1_has_the_papers_20_5_million_parameters() -> None:
    assert count_parameters(on_meta("deeplabv1-vgg16", 21)) / 1e6 == pytest.approx(20.5, abs=0.05)


def test_v1_keeps_stride_8_and_widens_conv5_and_fc6() -> None:
    network = on_meta("deeplabv1-vgg16")
    assert isinstance(network, DeepLabV1)
    assert rates(network) == [1] * 10 + [2] * 3 + [12]
    poolings = [each for each in network.modules() if isinstance(each, MaxPooling)]
    assert [(each.kernel, each.stride) for each in poolings] == [(3, 2)] * 3 + [(3, 1)] * 2
    assert network(empty(65, 99)).shape == (1, 4, 9, 13)


def test_fully_connected_layers_have_1024_channels_and_a_view_of_25() -> None:
    head = LargeFieldOfView(6, 5, rate=12).eval()
    convs = [each for each in head if isinstance(each, nn.Conv2d)]
    assert [(each.in_channels, each.out_channels) for each in convs] == [
        (6, 1024),
        (1024, 1024),
        (1024, 5),
    ]
    maps = torch.randn(1, 6, 1, 31, requires_grad=True)
    head(maps)[..., 15].sum().backward()
    assert maps.grad is not None
    seen = maps.grad.abs().sum((0, 1, 2)).nonzero().flatten().tolist()
    assert seen == [3, 15, 27]


@pytest.mark.parametrize("name", ["deeplabv2-resnet101", "deeplabv2-vgg16", "deeplabv2-resnet18"])
def test_v2_has_four_branches_at_stride_8(name: str) -> None:
    network = on_meta(name)
    assert isinstance(network, DeepLabV2)
    assert [rates(branch) for branch in network.branches] == [[6], [12], [18], [24]]
    assert network(empty(65, 99)).shape == (1, 4, 9, 13)


def test_v2_on_a_resnet_has_one_rate_in_each_atrous_stage() -> None:
    encoder = on_meta("deeplabv2-resnet101").get_submodule("encoder")
    assert rates(encoder.get_submodule("layer4")) == [4] * 3
    assert rates(encoder.get_submodule("layer3")) == [1] + [2] * 22


def test_v2_on_resnet101_is_a_trunk_and_four_classifiers() -> None:
    network = on_meta("deeplabv2-resnet101", 21)
    branches = 4 * (9 * 2048 * 21 + 21)
    assert count_parameters(network) == 42_500_160 + branches


def test_v2_adds_the_logits_of_its_branches() -> None:
    network = DeepLabV2(3, resnet18).eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        last = network.encoder(images)[-1]
        expected = torch.stack([branch(last) for branch in network.branches]).sum(0)
        torch.testing.assert_close(network(images), expected)
        assert expected.abs().max() > 0


def test_first_logits_of_the_network_without_normalisation_stay_small() -> None:
    network = DeepLabV1(5).eval()
    with torch.no_grad():
        logits = network(torch.randn(1, 3, 64, 64))
    assert 1e-4 < logits.std().item() < math.log(5) / 2
