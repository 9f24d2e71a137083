"""Folding: which normalisations go, which stay, and that the logits don't care."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from rtseg.networks import SegmentationNetwork, build_network
from rtseg.networks.batch_norm import fold_batch_norm, foldable_pairs


def norm(channels: int) -> nn.BatchNorm2d:
    """Return a normalisation with the statistics of some training."""
    layer = nn.BatchNorm2d(channels)
    for values in (layer.running_var, layer.weight):
        nn.init.uniform_(values, 0.5, 1.5)
    for values in (layer.running_mean, layer.bias):
        nn.init.uniform_(values, -0.5, 0.5)
    return layer


class Toy(SegmentationNetwork):
    min_size: ClassVar[int] = 8

    def __init__(self, run: Callable[[Toy, Tensor], Tensor], **modules: nn.Module) -> None:
        super().__init__(4)
        self.run = run
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, images: Tensor) -> Tensor:
        return self.run(self, images)


def check(network: Toy, expected: list[tuple[str, str]]) -> None:
    network.eval().double()
    assert foldable_pairs(network) == expected
    folded = fold_batch_norm(network)
    images = torch.randn(2, 3, 8, 10, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(folded(images), network(images))
    for _, name in expected:
        assert isinstance(folded.get_submodule(name), nn.Identity)
        assert isinstance(network.get_submodule(name), nn.BatchNorm2d)


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(3, 4, 3),
        nn.Conv2d(3, 4, 3, stride=2, bias=False),
        nn.Conv2d(3, 6, 3, groups=3, bias=False),
        nn.Conv2d(3, 4, 3, dilation=2, padding=2),
        nn.ConvTranspose2d(3, 4, 3, 2, 1, 1),
        nn.ConvTranspose2d(3, 4, 2, 2, bias=False),
    ],
    ids=str,
)
def test_convolutions_take_their_normalisation(conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
    def run(self: Toy, x: Tensor) -> Tensor:
        return torch.relu(self.norm(self.conv(x)))

    check(Toy(run, conv=conv, norm=norm(conv.out_channels)), [("conv", "norm")])


def test_order_of_use_counts_and_not_the_order_of_definition() -> None:
    def run(self: Toy, x: Tensor) -> Tensor:
        return self.a(self.x(x)) + self.b(self.y(x))

    modules = {"x": nn.Conv2d(3, 4, 1), "y": nn.Conv2d(3, 4, 1), "b": norm(4), "a": norm(4)}
    check(Toy(run, **modules), [("x", "a"), ("y", "b")])


def test_normalisation_before_the_convolution_stays() -> None:
    def run(self: Toy, x: Tensor) -> Tensor:
        return self.conv(torch.relu(self.norm(x)))

    check(Toy(run, conv=nn.Conv2d(3, 4, 1), norm=norm(3)), [])


def test_normalisation_behind_an_activation_stays() -> None:
    def run(self: Toy, x: Tensor) -> Tensor:
        return self.norm(torch.relu_(self.conv(x)))

    check(Toy(run, conv=nn.Conv2d(3, 4, 1), norm=norm(4)), [])


def test_output_that_is_used_twice_stays() -> None:
    def run(self: Toy, x: Tensor) -> Tensor:
        y = self.conv(x)
        return y + self.norm(y)

    check(Toy(run, conv=nn.Conv2d(3, 4, 1), norm=norm(4)), [])


def test_output_that_is_returned_stays() -> None:
    def run(self: Toy, x: Tensor) -> Tensor:
        y = self.conv(x)
        self.norm(y)
        return y

    check(Toy(run, conv=nn.Conv2d(3, 4, 1), norm=norm(4)), [])


def test_list_of_outputs_counts_as_a_use() -> None:
    def run(self: Toy, x: Tensor) -> Tensor:
        y = self.conv(x)
        return torch.cat([y, self.norm(y)], dim=1)

    check(Toy(run, conv=nn.Conv2d(3, 4, 1), norm=norm(4)), [])


def test_shared_convolution_with_two_normalisations_stays() -> None:
    def run(self: Toy, x: Tensor) -> Tensor:
        return self.a(self.conv(x)) + self.b(self.conv(-x))

    check(Toy(run, conv=nn.Conv2d(3, 4, 1), a=norm(4), b=norm(4)), [])


def test_shared_normalisation_of_two_convolutions_stays() -> None:
    def run(self: Toy, x: Tensor) -> Tensor:
        return self.norm(self.a(x)) + self.norm(self.b(x))

    check(Toy(run, a=nn.Conv2d(3, 4, 1), b=nn.Conv2d(3, 4, 1), norm=norm(4)), [])


def test_pair_that_runs_twice_is_folded() -> None:
    def run(self: Toy, x: Tensor) -> Tensor:
        return self.norm(self.conv(x)) + self.norm(self.conv(-x))

    check(Toy(run, conv=nn.Conv2d(3, 4, 1), norm=norm(4)), [("conv", "norm")])


def test_looking_at_the_shape_is_no_use() -> None:
    def run(self: Toy, x: Tensor) -> Tensor:
        y = self.conv(x)
        return self.norm(y) * float(y.shape[-1])

    check(Toy(run, conv=nn.Conv2d(3, 4, 1), norm=norm(4)), [("conv", "norm")])


@pytest.mark.parametrize(
    ("conv", "layer"),
    [
        (nn.ConvTranspose2d(3, 6, 2, 2, groups=3), norm(6)),
        (nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, track_running_stats=False)),
    ],
    ids=["grouped transposed", "without statistics"],
)
def test_what_can_not_be_folded_stays(conv: nn.Module, layer: nn.Module) -> None:
    def run(self: Toy, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))

    check(Toy(run, conv=conv, norm=layer), [])


def test_nothing_is_left_in_linknet_but_the_training_head() -> None:
    network = build_network("linknet", 3).train()
    folded = fold_batch_norm(network)
    left = [n for n, module in folded.named_modules() if isinstance(module, nn.BatchNorm2d)]
    assert left == ["auxiliary_head.0.1"]
    assert network.training
    assert not folded.training
