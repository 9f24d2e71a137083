"""FastFCN: joint pyramid upsampling, the context encoding against its formula, the three heads."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rtseg.networks import NETWORKS, build_network
from rtseg.networks.counting import count_parameters
from rtseg.networks.fastfcn import (
    HEADS,
    ContextEncoding,
    EncodingHead,
    FastFCN,
    JointPyramidUpsampling,
)


def on_meta(name: str, num_classes: int = 4) -> FastFCN:
    with torch.device("meta"):
        network = build_network(name, num_classes).eval()
    assert isinstance(network, FastFCN)
    return network


def empty(height: int, width: int) -> Tensor:
    return torch.empty(1, 3, height, width, device="meta")


def convolutions(module: nn.Module) -> list[nn.Conv2d]:
    return [each for each in module.modules() if isinstance(each, nn.Conv2d)]


def test_upsampling_reads_three_maps_and_gives_2048_channels_of_stride_8() -> None:
    upsampling = on_meta("fastfcn-resnet50").upsampling
    assert [each[0].in_channels for each in upsampling.narrow] == [512, 1024, 2048]
    assert {(each[0].out_channels, each[0].kernel_size) for each in upsampling.narrow} == {
        (512, (3, 3))
    }
    depthwise = [convolutions(each)[0] for each in upsampling.atrous]
    assert [each.dilation[0] for each in depthwise] == [1, 2, 4, 8]
    assert {(each.in_channels, each.groups) for each in depthwise} == {(1536, 1536)}
    assert upsampling.out_channels == 2048


def test_trunk_has_no_atrous_convolution() -> None:
    encoder = on_meta("fastfcn-resnet50").encoder
    assert encoder.strides[-3:] == (8, 16, 32)
    assert {each.dilation for each in convolutions(encoder)} == {(1, 1)}


def test_upsampling_of_odd_maps_has_the_finest_size() -> None:
    upsampling = JointPyramidUpsampling((4, 8, 16), width=4).eval()
    maps = [torch.randn(1, 4, 9, 13), torch.randn(1, 8, 5, 7), torch.randn(1, 16, 3, 4)]
    with torch.no_grad():
        out = upsampling(maps)
        assert out.shape == (1, 16, 9, 13)
        for index in range(3):
            changed = [each + 5 * (number == index) for number, each in enumerate(maps)]
            assert not torch.equal(upsampling(changed), out), "every map matters"


def encoded(encoding: ContextEncoding, x: Tensor) -> Tensor:
    """The formula of the encoding's paper, with the residuals of every pixel to every codeword."""
    pixels = x.flatten(2).transpose(1, 2)  # [N, P, D]
    residuals = pixels[:, :, None] - encoding.codewords  # [N, P, K, D]
    share = (encoding.smoothing * residuals.square().sum(-1)).softmax(-1)
    return (share[..., None] * residuals).mean(1)


def test_context_encoding_is_the_papers_formula_averaged() -> None:
    encoding = ContextEncoding(6, num_codewords=4)
    nn.init.normal_(encoding.codewords)
    x = torch.randn(2, 6, 3, 5)
    with torch.no_grad():
        torch.testing.assert_close(encoding(x), encoded(encoding, x))
        bigger = x.repeat(1, 1, 2, 2)
        torch.testing.assert_close(encoding(bigger), encoding(x))


def test_context_encoding_is_exact_enough_in_half_precision() -> None:
    encoding = ContextEncoding(64)
    x = 3 * torch.rand(1, 64, 64, 128)
    with torch.no_grad():
        expected, half = encoding(x), encoding.half()(x.half())
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.float(), expected, rtol=0.02, atol=2e-3)


def test_encoding_head_scales_channels_between_one_and_two() -> None:
    head = EncodingHead(32, 3).eval()
    nn.init.zeros_(head.scale.weight)
    nn.init.constant_(head.scale.bias, 30.0)
    x = torch.randn(1, 32, 5, 6)
    with torch.no_grad():
        torch.testing.assert_close(head(x), head.classifier(2 * head.reduce(x)))
        nn.init.constant_(head.scale.bias, -30.0)
        torch.testing.assert_close(head(x), head.classifier(head.reduce(x)))


@pytest.mark.parametrize("head", list(HEADS))
def test_every_head_gives_logits_of_stride_8(head: str) -> None:
    with torch.device("meta"):
        network = FastFCN(4, "resnet18", head).eval()
    outputs = network.forward_train(empty(65, 99))
    assert outputs["main"].shape == (1, 4, 9, 13)
    assert outputs["auxiliary"].shape == (1, 4, 5, 7)


def test_it_costs_a_fraction_of_the_atrous_trunks() -> None:
    gmacs = {name: NETWORKS[name].card.gmacs for name in NETWORKS}
    assert gmacs["fastfcn-resnet50"] < gmacs["pspnet-resnet50"] / 3
    assert gmacs["fastfcn-psp-resnet50"] < gmacs["pspnet-resnet50"]


def test_parameters_are_trunk_upsampling_and_head() -> None:
    network = on_meta("fastfcn-resnet50", 19).remove_training_heads()
    narrow = 9 * (512 + 1024 + 2048) * 512 + 3 * 1024
    atrous = 4 * (9 * 1536 + 2 * 1536 + 1536 * 512 + 1024)
    head = 2048 * 512 + 1024 + 512 * 512 + 1024 + 32 * 513 + 64 + 512 * 513 + 19 * 513
    assert count_parameters(network) == 23_508_032 + narrow + atrous + head
