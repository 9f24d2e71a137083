"""DeepLab: output strides, atrous rates, the pyramid and the decoder."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rtseg.errors import UnknownNameError
from rtseg.networks import build_network
from rtseg.networks.counting import count_parameters
from rtseg.networks.deeplab import ASPP, DeepLabV3, DeepLabV3Plus


def on_meta(
    family: type[DeepLabV3] = DeepLabV3Plus, encoder: str = "mobilenet-v2", stride: int = 16
) -> DeepLabV3:
    with torch.device("meta"):
        return family(4, encoder, stride).eval()


def empty(height: int, width: int) -> Tensor:
    return torch.empty(1, 3, height, width, device="meta")


def rates(module: nn.Module) -> list[int]:
    return [
        each.dilation[0]
        for each in module.modules()
        if isinstance(each, nn.Conv2d) and each.kernel_size != (1, 1)
    ]


@pytest.mark.parametrize(("stride", "expected"), [(16, [6, 12, 18]), (8, [12, 24, 36])])
@pytest.mark.parametrize("separable", [True, False])
def test_pyramid_rates_follow_the_output_stride(
    stride: int, expected: list[int], separable: bool
) -> None:
    with torch.device("meta"):
        network = DeepLabV3Plus(4, "resnet18", stride, separable)
    assert rates(network.aspp) == expected


@pytest.mark.parametrize(
    "encoder", ["resnet18", "resnet50", "mobilenet-v2", "mobilenet-v3", "xception65"]
)
@pytest.mark.parametrize("stride", [8, 16])
def test_logits_of_v3_have_the_output_stride(encoder: str, stride: int) -> None:
    network = on_meta(DeepLabV3, encoder, stride)
    assert network(empty(128, 192)).shape == (1, 4, 128 // stride, 192 // stride)


@pytest.mark.parametrize(
    "encoder", ["resnet18", "resnet50", "mobilenet-v2", "mobilenet-v3", "xception65"]
)
@pytest.mark.parametrize("stride", [8, 16])
def test_logits_of_v3plus_have_stride_4(encoder: str, stride: int) -> None:
    network = on_meta(DeepLabV3Plus, encoder, stride)
    outputs = network.forward_train(empty(128, 192))
    assert outputs["main"].shape == (1, 4, 32, 48)
    assert outputs["auxiliary"].shape == (1, 4, 128 // stride, 192 // stride)


def test_any_size_is_taken() -> None:
    assert on_meta()(empty(65, 99)).shape == (1, 4, 17, 25)


@pytest.mark.parametrize(
    ("encoder", "stride", "layer3", "layer4"),
    [
        ("resnet50", 16, [1] * 6, [2, 4, 8]),
        ("resnet50", 8, [1, 2, 2, 2, 2, 2], [4, 8, 16]),
        ("resnet18", 16, [1, 1, 1, 1], [2, 2, 4, 4]),
    ],
)
def test_resnet_has_the_multi_grid(
    encoder: str, stride: int, layer3: list[int], layer4: list[int]
) -> None:
    network = on_meta(encoder=encoder, stride=stride)
    assert rates(network.encoder.get_submodule("layer3")) == layer3
    assert rates(network.encoder.get_submodule("layer4")) == layer4


def test_image_pooling_sees_the_whole_picture() -> None:
    aspp = ASPP(8, (1, 1, 1), separable=True).eval()
    for branch in (aspp.pointwise, *aspp.atrous):
        nn.init.zeros_(branch[-2].weight if len(branch) == 3 else branch[-1][-2].weight)
    maps = torch.randn(1, 8, 9, 11)
    changed = maps.clone()
    changed[..., 8, 10] += 100
    with torch.no_grad():
        before, after = aspp(maps), aspp(changed)
    assert (before[..., 0, 0] != after[..., 0, 0]).any()
    torch.testing.assert_close(before, before[..., :1, :1].expand_as(before))


@pytest.mark.parametrize(
    ("encoder", "low_level"),
    [
        ("resnet18", 64),
        ("resnet50", 256),
        ("mobilenet-v2", 24),
        ("mobilenet-v3", 24),
        ("xception65", 256),
    ],
)
def test_decoder_takes_48_channels_of_stride_4(encoder: str, low_level: int) -> None:
    network = on_meta(encoder=encoder)
    assert isinstance(network, DeepLabV3Plus)
    project, first = network.low_level_project[0], network.decoder[0][0][0]
    assert (project.in_channels, project.out_channels) == (low_level, 48)
    assert first.in_channels == 256 + 48


def test_plain_and_separable_differ_in_their_3x3_convolutions() -> None:
    with torch.device("meta"):
        plain, separable = (DeepLabV3Plus(19, "mobilenet-v2", 16, each) for each in (False, True))
    assert [each.groups for each in plain.decoder.modules() if isinstance(each, nn.Conv2d)] == [
        1,
        1,
    ]
    assert [each.groups for each in separable.decoder.modules() if isinstance(each, nn.Conv2d)] == [
        304,
        1,
        256,
        1,
    ]
    # One 3x3 convolution less (256 -> 256 with its normalisation) is the popular 5.225 M network.
    plain.remove_training_heads()
    assert count_parameters(plain) - (9 * 256 * 256 + 512) == pytest.approx(5.225e6, abs=0.5e3)


def test_unknown_encoder_is_named() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'resnet18'"):
        DeepLabV3(4, "resnet-18")


def test_pictures_of_one_colour_get_one_answer_away_from_the_border() -> None:
    network = build_network("deeplabv3plus-mobilenet-v2", 3).eval()
    with torch.no_grad():
        logits = network(torch.full((1, 3, 64, 64), 0.5))
    assert torch.isfinite(logits).all()
    assert logits.shape == (1, 3, 16, 16)
