"""Deep Watershed Transform: the layers of the paper, directions of length 1, what sees what."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rtseg.instances.targets import ENERGY_LEVELS
from rtseg.networks import MAIN, TrainingHead
from rtseg.networks.deep_watershed import ENERGY_LEVELS as NETWORK_LEVELS
from rtseg.networks.deep_watershed import DeepWatershed, WatershedNet

K = 5


@pytest.fixture(scope="module")
def network() -> DeepWatershed:
    torch.manual_seed(0)
    return DeepWatershed(K).eval()


@pytest.fixture(scope="module")
def outputs(network: DeepWatershed) -> dict[str, Tensor]:
    with torch.no_grad():
        return network.forward_instances(torch.randn(2, 3, 70, 100))


def test_maps_stand_at_a_quarter_of_any_size(outputs: dict[str, Tensor]) -> None:
    assert {name: tuple(maps.shape) for name, maps in outputs.items()} == {
        MAIN: (2, K, 18, 25),
        "direction": (2, 2, 18, 25),
        "energy": (2, 16, 18, 25),
    }
    assert NETWORK_LEVELS == ENERGY_LEVELS == 16


def test_directions_are_unit_vectors(outputs: dict[str, Tensor]) -> None:
    length = outputs["direction"].norm(dim=1)
    assert length.max() < 1 + 1e-5
    assert length.min() > 0.9


def test_heads_and_their_targets(network: DeepWatershed) -> None:
    assert dict(network.heads) == {
        MAIN: TrainingHead(1.0),
        "direction": TrainingHead(1.0, target="direction"),
        "energy": TrainingHead(1.0, target="energy"),
    }


def learning(head: str) -> set[str]:
    network = DeepWatershed(K).train()
    network.forward_train(torch.randn(2, 3, 64, 64))[head].square().mean().backward()
    return {
        name.split(".")[0] for name, each in network.named_parameters() if each.grad is not None
    }


def test_directions_learn_from_the_classes_and_do_not_change_them() -> None:
    assert learning(MAIN) == {"encoder", "classes"}
    assert learning("direction") == {"encoder", "direction"}
    assert learning("energy") == {"encoder", "direction", "watershed"}


def test_a_closed_gate_hides_the_picture() -> None:
    """Where no class is counted, directions are the same whatever is seen."""
    network = DeepWatershed(K).eval()
    nn.init.zeros_(network.direction.gate.weight)
    nn.init.constant_(network.direction.gate.bias, -40.0)  # type: ignore[arg-type]
    with torch.no_grad():
        one, other = (network.forward_instances(torch.randn(1, 3, 64, 64)) for _ in range(2))
    torch.testing.assert_close(one["direction"], other["direction"])
    assert not torch.allclose(one[MAIN], other[MAIN])


def test_the_transform_has_the_papers_layers() -> None:
    """Six 5x5 and two 1x1 convolutions; their view is as wide as that of the paper's poolings."""
    kernels = [m.kernel_size for m in WatershedNet(16).modules() if isinstance(m, nn.Conv2d)]
    assert kernels == [(5, 5)] * 6 + [(1, 1)] * 2


def test_energy_sees_directions_alone() -> None:
    network = DeepWatershed(K).eval()
    with torch.no_grad():
        maps = network.forward_instances(torch.randn(1, 3, 64, 64))
        torch.testing.assert_close(network.watershed(maps["direction"]), maps["energy"])
