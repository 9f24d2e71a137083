"""Counting: known layers, known networks, and what must not change by counting."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rtseg.errors import InputSizeError, UnknownNameError
from rtseg.networks import build_network
from rtseg.networks.counting import count_gmacs, count_network, count_parameters, count_registered


class Block(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images)


@pytest.mark.parametrize(
    ("layer", "macs"),
    [
        (nn.Conv2d(3, 8, 3, padding=1), 20 * 30 * 3 * 8 * 9),
        (nn.Conv2d(3, 8, 3, padding=1, stride=2), 10 * 15 * 3 * 8 * 9),
        (nn.Conv2d(3, 6, 3, padding=1, groups=3), 20 * 30 * 6 * 9),
        (nn.ConvTranspose2d(3, 8, 3, 2, 1, 1), 20 * 30 * 3 * 8 * 9),
        (nn.ConvTranspose2d(3, 8, 2, 2), 20 * 30 * 3 * 8 * 4),
        (nn.ConvTranspose2d(3, 6, 3, 2, 1, 1, groups=3), 20 * 30 * 6 * 9),
        (nn.Linear(30, 7), 3 * 20 * 30 * 7),
        (nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2)), 0),
    ],
)
def test_known_layers(layer: nn.Module, macs: int) -> None:
    assert count_gmacs(Block(layer), (20, 30)) == pytest.approx(macs / 1e9, rel=1e-12)


def test_matrix_products_between_maps_count() -> None:
    class Attention(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            flat = images.flatten(2)  # [1, 3, 600]
            return flat @ flat.transpose(1, 2)

    assert count_gmacs(Attention(), (20, 30)) == pytest.approx(3 * 600 * 3 / 1e9, rel=1e-12)


def test_frozen_parameters_do_not_count() -> None:
    layer = nn.Conv2d(3, 8, 3)
    layer.weight.requires_grad_(False)
    assert count_parameters(layer) == 8


def test_counting_leaves_the_network_as_it_is() -> None:
    network = build_network("linknet", 3).train()
    count = count_network(network, (64, 64))
    assert network.training
    assert "auxiliary" in network.heads
    assert all(each.device.type == "cpu" for each in network.parameters())
    assert count.parameters == 11_533_248 + 129 * 3 < count_parameters(network)


def test_half_precision_networks_can_be_counted() -> None:
    network = build_network("linknet", 3)
    assert count_gmacs(network.half(), (64, 64)) == count_gmacs(network.float(), (64, 64))


def test_multiply_adds_grow_with_the_picture() -> None:
    with torch.device("meta"):
        network = build_network("linknet", 11)
    assert count_gmacs(network, (704, 960)) == pytest.approx(27.9, abs=0.05)
    assert count_gmacs(network, (352, 480)) * 4 == pytest.approx(count_gmacs(network, (704, 960)))


def test_a_count_says_what_it_means() -> None:
    text = str(count_registered("linknet"))
    assert "11.54 M parameters" in text
    assert "87.01 GMACs at 1024x2048" in text
    assert "1 MAC = 2 FLOPs" in text


def test_impossible_sizes_and_names_are_refused() -> None:
    with pytest.raises(InputSizeError, match="pad to 64x64"):
        count_network(build_network("linknet", 3), (33, 64))
    with pytest.raises(UnknownNameError, match="linknet"):
        count_registered("linknett")
