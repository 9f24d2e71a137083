"""scSE: what weighs what, and that a block starts as good as absent."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rtseg.errors import ConfigError
from rtseg.networks import build_network
from rtseg.networks.layers import initialise
from rtseg.networks.linknet import LinkNet
from rtseg.networks.squeeze_excitation import (
    ChannelExcitation,
    ConcurrentExcitation,
    SpatialExcitation,
    excitation_gates,
)


def test_channels_are_weighed_by_the_means_of_all() -> None:
    block, x = ChannelExcitation(4, reduction=2), torch.randn(2, 4, 3, 5)
    assert block.squeeze.weight.shape == (2, 4, 1, 1)
    with torch.no_grad():
        hidden = torch.relu(x.mean((2, 3)) @ block.squeeze.weight.flatten(1).T + block.squeeze.bias)
        weights = torch.sigmoid(hidden @ block.gate.weight.flatten(1).T + block.gate.bias)
        torch.testing.assert_close(block(x), x * weights[:, :, None, None])


def test_pixels_are_weighed_by_their_own_channels() -> None:
    block, x = SpatialExcitation(4), torch.randn(2, 4, 3, 5)
    with torch.no_grad():
        scores = (x * block.gate.weight.view(1, 4, 1, 1)).sum(1, keepdim=True) + block.gate.bias
        torch.testing.assert_close(block(x), x * torch.sigmoid(scores))


def test_both_are_added_or_the_larger_is_taken() -> None:
    x = torch.randn(2, 6, 4, 4)
    for merge, expected in (("add", torch.add), ("max", torch.maximum)):
        block = ConcurrentExcitation(6, merge=merge)
        with torch.no_grad():
            torch.testing.assert_close(block(x), expected(block.channel(x), block.spatial(x)))


def test_with_small_gates_the_sum_starts_as_the_map_itself() -> None:
    block, x = ConcurrentExcitation(16), torch.randn(2, 16, 8, 8)
    initialise(block, excitation_gates(block))
    with torch.no_grad():
        torch.testing.assert_close(block(x), x, rtol=0.05, atol=0.02)


def test_another_merge_is_refused() -> None:
    with pytest.raises(ConfigError, match="can't merge by 'mean'; choose one of add, max"):
        ConcurrentExcitation(4, merge="mean")


def test_linknet_recalibrates_every_block_of_encoder_and_decoder() -> None:
    with torch.device("meta"):
        network = build_network("linknet-scse", 11)
        plain = build_network("linknet", 11)
    blocks = [
        name for name, each in network.named_modules() if isinstance(each, ConcurrentExcitation)
    ]
    assert [name.rpartition(".")[0] for name in blocks] == [
        *(f"encoder.layer{number}" for number in (1, 2, 3, 4)),
        *(f"decoder{number}" for number in (4, 3, 2, 1)),
    ]
    assert plain.state_dict().keys() < network.state_dict().keys()
    added = sum(
        each.numel() for name in blocks for each in network.get_submodule(name).parameters()
    )
    channels = (64, 128, 256, 512, 256, 128, 64, 64)
    assert added == sum(c * c + c // 2 + c + c + 1 for c in channels)


def test_linknet_adds_the_recalibrated_maps() -> None:
    network = LinkNet(3, scse="max").eval()
    for gate in excitation_gates(network):
        assert isinstance(gate, nn.Conv2d)
        nn.init.zeros_(gate.weight)
        nn.init.constant_(gate.bias, 30.0)  # all weights are 1: the network is the plain one
    plain = LinkNet(3).eval()
    plain.load_state_dict(
        {key: each for key, each in network.state_dict().items() if key in plain.state_dict()}
    )
    images = torch.randn(1, 3, 32, 64)
    with torch.no_grad():
        torch.testing.assert_close(network(images), plain(images))
