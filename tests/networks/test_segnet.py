"""SegNet: the published counts, the mirror, and that its indices carry where things are."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from rtseg.networks.counting import count_gmacs, count_parameters
from rtseg.networks.segnet import SegNet


def on_meta(num_classes: int = 11) -> SegNet:
    with torch.device("meta"):
        return SegNet(num_classes).eval()


def convolutions(module: nn.Module) -> list[nn.Conv2d]:
    return [each for each in module.modules() if isinstance(each, nn.Conv2d)]


@pytest.mark.parametrize("num_classes", [11, 19, 21])
def test_parameters_are_the_published_ones(num_classes: int) -> None:
    assert count_parameters(on_meta(num_classes)) == pytest.approx(29.45e6, rel=0.001)


@pytest.mark.parametrize(("hw", "published"), [((352, 480), 105), ((512, 1024), 326)])
def test_multiply_adds_are_the_published_ones(hw: tuple[int, int], published: float) -> None:
    assert count_gmacs(on_meta(), hw) == pytest.approx(published, rel=0.01)


def test_the_decoder_mirrors_the_encoder() -> None:
    network = on_meta()
    encoder = [(conv.in_channels, conv.out_channels) for conv in convolutions(network.encoder)]
    decoder = [(conv.in_channels, conv.out_channels) for conv in convolutions(network.decoder)]
    assert len(encoder) == 13
    assert decoder == [(outputs, inputs) for inputs, outputs in reversed(encoder)][:-1]
    assert (network.classifier.in_channels, network.classifier.kernel_size) == (64, (3, 3))


def test_all_convolutions_have_biases_and_all_but_the_last_are_normalised() -> None:
    network = on_meta()
    assert len(convolutions(network)) == 26
    assert all(conv.bias is not None for conv in convolutions(network))
    assert sum(isinstance(each, nn.BatchNorm2d) for each in network.modules()) == 25


def test_each_stage_unpools_with_the_indices_of_the_pooling_that_it_mirrors() -> None:
    network = SegNet(3).eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        x, indices = images, []
        for layer in network.encoder.features:
            if "Pooling" in type(layer).__name__:
                x, where = F.max_pool2d(x, 2, return_indices=True)
                indices.append(where)
            else:
                x = layer(x)
        for stage, where in zip(network.decoder, reversed(indices), strict=True):
            x = stage.convolutions(F.max_unpool2d(x, where, 2))
        torch.testing.assert_close(network(images), network.classifier(x))
    assert x.shape == (1, 64, 64, 64)


@pytest.mark.slow
def test_steps_of_training_lower_the_loss() -> None:
    network = SegNet(2).train()
    labels = torch.tensor([[0, 1], [1, 0]]).kron(torch.ones(32, 32)).long().expand(2, -1, -1)
    images = labels[:, None] + 0.3 * torch.randn(2, 3, 64, 64)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(8):
        loss = F.cross_entropy(network.forward_train(images)["main"], labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
