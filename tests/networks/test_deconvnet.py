"""DeconvNet: counts, the mirror, and the one cell in the middle."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rtseg.errors import InputSizeError
from rtseg.networks.counting import count_parameters
from rtseg.networks.deconvnet import DECODER, DeconvNet


def on_meta(num_classes: int = 21) -> DeconvNet:
    with torch.device("meta"):
        return DeconvNet(num_classes).eval()


def test_parameters_are_the_published_ones() -> None:
    assert count_parameters(on_meta()) == pytest.approx(252e6, rel=0.005)


def test_half_of_the_parameters_are_on_either_side_of_the_middle() -> None:
    network = on_meta()
    fc6, fc7, fc6_back = (layer for layer in network.fully_connected if hasattr(layer, "stride"))
    assert fc6.weight.shape == fc6_back.weight.shape == (4096, 512, 7, 7)
    assert fc7.weight.shape == (4096, 4096, 1, 1)
    ratio = count_parameters(network.decoder) / count_parameters(network.encoder)
    assert ratio == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize(("hw", "cells"), [((224, 224), (1, 1)), ((384, 480), (6, 9))])
def test_a_picture_of_224_ends_in_one_cell(hw: tuple[int, int], cells: tuple[int, int]) -> None:
    network = on_meta()
    shapes = []
    for layer in network.fully_connected:
        layer.register_forward_hook(lambda _, __, output: shapes.append(tuple(output.shape)))
    logits = network(torch.empty(2, 3, *hw, device="meta"))
    assert (2, 4096, *cells) in shapes
    assert shapes[-1] == (2, 512, hw[0] // 32, hw[1] // 32)
    assert logits.shape == (2, 21, *hw)


def test_smaller_pictures_are_refused() -> None:
    with pytest.raises(InputSizeError, match="pad to 224x224"):
        on_meta()(torch.empty(1, 3, 192, 224, device="meta"))


def test_every_stage_of_the_decoder_is_transposed_and_normalised() -> None:
    network = on_meta()
    for stage, widths in zip(network.decoder, DECODER, strict=True):
        kinds = [type(layer) for layer in stage.convolutions]
        assert kinds == [nn.ConvTranspose2d, nn.BatchNorm2d, nn.ReLU] * len(widths)
        transposed = [each for each in stage.modules() if isinstance(each, nn.ConvTranspose2d)]
        assert tuple(each.out_channels for each in transposed) == widths
        assert all(each.bias is not None and each.stride == (1, 1) for each in transposed)
