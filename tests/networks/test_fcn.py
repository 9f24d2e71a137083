"""FCN: counts, what each variant adds, and where its scores lie on the picture."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rtseg.networks import build_network
from rtseg.networks.counting import count_gmacs, count_parameters
from rtseg.networks.encoders.vgg import VGG16
from rtseg.networks.fcn import FCN, Skip
from rtseg.networks.upsampling import UPSAMPLINGS, TransposedConvolution

VARIANTS = ["fcn-32s", "fcn-16s", "fcn-8s"]


def on_meta(name: str, num_classes: int = 21) -> FCN:
    with torch.device("meta"):
        network = build_network(name, num_classes).eval()
    assert isinstance(network, FCN)
    return network


@pytest.mark.parametrize(
    ("name", "published"),
    [("fcn-32s", 134.35e6), ("fcn-16s", 134.36e6), ("fcn-8s", 134.49e6)],
)
def test_parameters_are_the_published_ones(name: str, published: float) -> None:
    parameters = count_parameters(on_meta(name))
    assert parameters == pytest.approx(published, rel=0.001)


def test_each_skip_adds_scores_and_a_transposed_convolution() -> None:
    coarse, middle, fine = (count_parameters(on_meta(name)) for name in VARIANTS)
    learned = 4 * 4 * 21 * 21
    assert middle - coarse == 512 * 21 + 21 + learned
    assert fine - middle == 256 * 21 + 21 + learned


def test_the_fully_connected_layers_are_most_of_it() -> None:
    layers = on_meta("fcn-8s").fully_connected
    fc6, fc7 = (layer for layer in layers if isinstance(layer, nn.Conv2d))
    assert fc6.weight.shape == (4096, 512, 7, 7)
    assert fc7.weight.shape == (4096, 4096, 1, 1)
    assert [layer.p for layer in layers if isinstance(layer, nn.Dropout)] == [0.5, 0.5]


def test_a_classifier_picture_costs_what_vgg16_costs() -> None:
    assert count_gmacs(VGG16(), (224, 224)) == pytest.approx(15.35, abs=0.01)


@pytest.mark.parametrize(("name", "stride"), [("fcn-32s", 32), ("fcn-16s", 16), ("fcn-8s", 8)])
@pytest.mark.parametrize("hw", [(64, 96), (65, 99), (360, 480), (32, 33)])
def test_scores_come_at_the_stride_in_the_name(name: str, stride: int, hw: tuple[int, int]) -> None:
    logits = on_meta(name)(torch.empty(1, 3, *hw, device="meta"))
    assert logits.shape == (1, 21, *(-(-size // stride) for size in hw))


def test_a_skip_doubles_what_comes_from_below_and_adds_its_own_scores() -> None:
    skip = Skip(8, 3)
    coarse, fine = torch.randn(1, 3, 4, 5), torch.randn(1, 8, 7, 9)  # odd: rounded up on the way
    with torch.no_grad():
        added = skip(coarse, fine) - skip.score(fine)
    doubled = UPSAMPLINGS["bilinear"](3, 2)(coarse)[..., :7, :9]
    torch.testing.assert_close(added[..., 1:-1, 1:-1], doubled[..., 1:-1, 1:-1])


@pytest.mark.slow
def test_upsampling_starts_bilinear_and_training_changes_it() -> None:
    network = FCN(2).train()
    start = TransposedConvolution(2, 2).weight
    assert all(torch.equal(skip.upsample.weight, start) for skip in network.skips)
    labels = torch.tensor([[0, 1], [1, 0]]).kron(torch.ones(4, 4)).long().expand(2, -1, -1)
    images = labels[:, None].repeat_interleave(8, 2).repeat_interleave(8, 3)
    images = images + 0.3 * torch.randn(2, 3, 64, 64)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)
    losses = []
    for _ in range(6):
        loss = nn.functional.cross_entropy(network.forward_train(images)["main"], labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert not any(torch.equal(skip.upsample.weight, start) for skip in network.skips)
