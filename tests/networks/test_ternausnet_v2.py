"""TernausNetV2: the authors' decoder widths, full resolution, borders beside the classes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rtseg.networks import MAIN, TrainingHead, build_network
from rtseg.networks.ternausnet_v2 import DecoderBlock, TernausNetV2

K = 5


@pytest.fixture(scope="module")
def network() -> TernausNetV2:
    torch.manual_seed(0)
    return TernausNetV2(K, "resnet18", filters=16).eval()


@pytest.mark.parametrize("hw", [(64, 64), (70, 101), (96, 128)])
def test_classes_and_borders_have_the_pictures_size(
    network: TernausNetV2, hw: tuple[int, int]
) -> None:
    with torch.no_grad():
        outputs = network.forward_instances(torch.randn(1, 3, *hw))
    assert {name: tuple(maps.shape) for name, maps in outputs.items()} == {
        MAIN: (1, K, *hw),
        "border": (1, 1, *hw),
    }


def test_heads_and_their_targets(network: TernausNetV2) -> None:
    assert dict(network.heads) == {
        MAIN: TrainingHead(1.0),
        "border": TrainingHead(1.0, target="border"),
    }


def test_decoder_has_the_authors_widths() -> None:
    """Of the WideResNet's maps of 1024, 1024, 512, 256, 128 and 64 channels only these differ."""
    with torch.device("meta"):
        network = build_network("ternausnet-v2", K)
    widths = {
        name: [m.out_channels for m in block.modules() if isinstance(m, nn.Conv2d)]
        for name, block in network.named_children()
        if isinstance(block, DecoderBlock)
    }
    assert widths == {
        "center": [256, 256],
        "decoder5": [256, 256],
        "decoder4": [256, 256],
        "decoder3": [64, 64],
        "decoder2": [64, 32],
        "decoder1": [32, 32],
    }
    takes = {
        name: next(m.in_channels for m in block.modules() if isinstance(m, nn.Conv2d))
        for name, block in network.named_children()
        if isinstance(block, DecoderBlock)
    }
    assert takes == {
        "center": 512,
        "decoder5": 512 + 256,
        "decoder4": 256 + 256,
        "decoder3": 128 + 256,
        "decoder2": 64 + 64,
        "decoder1": 64 + 32,
    }


def test_every_map_of_the_encoder_has_a_skip(network: TernausNetV2) -> None:
    """Without the decoder below it, each skip alone still changes the logits."""
    stem = torch.randn(1, 64, 32, 32)
    with torch.no_grad():
        maps = network.encoder.stages(stem)

        def logits(maps: list[Tensor], stem: Tensor) -> Tensor:
            network.encoder.stem = lambda images: stem  # type: ignore[method-assign]
            network.encoder.stages = lambda stem: maps  # type: ignore[method-assign]
            try:
                return network(torch.zeros(1, 3, 64, 64))
            finally:
                del network.encoder.stem, network.encoder.stages

        whole = logits(maps, stem)
        for place in range(1, 5):
            changed = [each + (number == place) for number, each in enumerate(maps)]
            assert not torch.allclose(logits(changed, stem), whole)
        assert not torch.allclose(logits(maps, stem + 1), whole)
