"""FC-DenseNet: the counted sizes, the channels of every block, and what is upsampled."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from rtseg.networks import build_network
from rtseg.networks.counting import count_parameters
from rtseg.networks.fc_densenet import DenseBlock, DenseLayer, FCDenseNet, TransitionUp


def on_meta(name: str, num_classes: int = 11) -> FCDenseNet:
    with torch.device("meta"):
        network = build_network(name, num_classes).eval()
    assert isinstance(network, FCDenseNet)
    return network


@pytest.mark.parametrize(
    ("name", "millions"),
    [("fc-densenet-56", 1.38), ("fc-densenet-67", 3.46), ("fc-densenet-103", 9.32)],
)
def test_parameters_are_the_counted_ones(name: str, millions: float) -> None:
    assert count_parameters(on_meta(name)) / 1e6 == pytest.approx(millions, abs=0.005)


@pytest.mark.parametrize("depth", [56, 67, 103])
def test_the_name_counts_the_convolutions(depth: int) -> None:
    convolutions = [
        each
        for each in on_meta(f"fc-densenet-{depth}").modules()
        if isinstance(each, nn.Conv2d | nn.ConvTranspose2d)
    ]
    assert len(convolutions) == depth


def test_channels_grow_by_16_a_layer_beside_the_skips() -> None:
    network = on_meta("fc-densenet-103")
    blocks = (*network.down_blocks, network.bottleneck, *network.up_blocks)
    assert [len(block.layers) for block in blocks] == [4, 5, 7, 10, 12, 15, 12, 10, 7, 5, 4]
    ends = [block.in_channels + 16 * len(block.layers) for block in blocks]
    assert ends == [112, 192, 304, 464, 656, 896, 1088, 816, 576, 384, 256]


def test_layers_normalise_before_they_convolve() -> None:
    kinds = [type(each) for each in DenseLayer(8, 4)]
    assert kinds == [nn.BatchNorm2d, nn.ReLU, nn.Conv2d, nn.Dropout]
    dropouts = [
        each for each in on_meta("fc-densenet-56").modules() if isinstance(each, nn.Dropout)
    ]
    assert {each.p for each in dropouts} == {0.2}
    assert len(dropouts) == 11 * 4 + 5


def test_a_block_stacks_its_new_maps_behind_its_input() -> None:
    block, x = DenseBlock(6, 3, 2, 0.0).eval(), torch.randn(1, 6, 8, 8)
    with torch.no_grad():
        stack, new = block(x)
        first = block.layers[0](x)
        second = block.layers[1](torch.cat((x, first), 1))
    assert torch.equal(stack, torch.cat((x, new), 1))
    assert new.shape == (1, 6, 8, 8)
    torch.testing.assert_close(new[:, :4], torch.cat((first, second), 1))


def test_only_new_maps_are_upsampled() -> None:
    network = on_meta("fc-densenet-103")
    assert [up.upsample.in_channels for up in network.ups] == [240, 192, 160, 112, 80]


@pytest.mark.parametrize("hw", [(7, 9), (8, 8), (7, 8)])
def test_what_is_upsampled_is_cut_to_its_skip(hw: tuple[int, int]) -> None:
    up, skip = TransitionUp(3), torch.randn(1, 2, *hw)
    low = F.max_pool2d(skip, 2).repeat(1, 2, 1, 1)[:, :3]
    with torch.no_grad():
        stack = up(low, skip)
    assert stack.shape == (1, 5, *hw)
    assert torch.equal(stack[:, 3:], skip)


@pytest.mark.parametrize("hw", [(32, 32), (45, 61), (63, 33)])
def test_logits_have_the_size_of_any_picture(hw: tuple[int, int]) -> None:
    assert on_meta("fc-densenet-56", 3)(torch.empty(1, 3, *hw, device="meta")).shape == (1, 3, *hw)


def test_weights_are_drawn_as_he_uniform() -> None:
    conv = FCDenseNet(2, 4, (2,) * 3).down_blocks[0].layers[1][2]
    bound = math.sqrt(6 / (9 * conv.in_channels))
    assert 0.9 * bound < conv.weight.abs().max() <= bound
    assert conv.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)
    assert not conv.bias.any()


def test_a_step_of_training_lowers_the_loss() -> None:
    network = FCDenseNet(2, 4, (2,) * 5).train()
    images = torch.randn(2, 3, 32, 32)
    labels = (images.mean(1) > 0).long()
    optimiser = torch.optim.RMSprop(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(6):
        loss = F.cross_entropy(network.forward_train(images)["main"], labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
