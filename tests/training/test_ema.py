"""The running average follows its formula, buffers included."""

from __future__ import annotations

import pytest
import torch

from rtseg.networks import SegmentationNetwork, build_network
from rtseg.training.ema import ExponentialAverage


@pytest.fixture
def network(tiny_networks: None) -> SegmentationNetwork:
    return build_network("tiny", 3)


def test_it_follows_the_formula(network: SegmentationNetwork) -> None:
    ema = ExponentialAverage(network, 0.25)
    expected = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    for update in range(1, 6):
        with torch.no_grad():
            for tensor in network.state_dict().values():
                tensor += 1
        ema.update()
        decay = min(0.25, (1 + update) / (10 + update))
        for key, value in network.state_dict().items():
            mixed = decay * expected[key] + (1 - decay) * value
            expected[key] = mixed if value.is_floating_point() else value.clone()
    for key, value in ema.network.state_dict().items():
        torch.testing.assert_close(value, expected[key])


def test_the_first_updates_follow_closely(network: SegmentationNetwork) -> None:
    ema = ExponentialAverage(network, 0.999)
    with torch.no_grad():
        network.classifier.weight.fill_(1.0)
        before = ema.network.classifier.weight.clone()
    ema.update()
    moved = (ema.network.classifier.weight - before) / (1 - before)
    assert moved.mean().item() == pytest.approx(1 - 2 / 11, rel=1e-4)


def test_it_is_apart_from_the_network(network: SegmentationNetwork) -> None:
    ema = ExponentialAverage(network, 0.9)
    assert not ema.network.training
    assert not any(parameter.requires_grad for parameter in ema.network.parameters())
    own = {tensor.data_ptr() for tensor in network.state_dict().values()}
    assert not own & {tensor.data_ptr() for tensor in ema.network.state_dict().values()}
    assert network.training


def test_statistics_of_batch_normalisation_are_averaged(network: SegmentationNetwork) -> None:
    ema = ExponentialAverage(network, 0.9)
    network.train()(torch.randn(4, 3, 16, 16))
    ema.update()
    average, own = ema.network.body[1], network.body[1]
    assert average.num_batches_tracked == own.num_batches_tracked == 1
    expected = own.running_mean * (1 - 2 / 11)
    torch.testing.assert_close(average.running_mean, expected)
