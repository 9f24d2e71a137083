"""DDRNet-23-slim: the paper's size and cost, its two branches, its pooling on maps of any size."""

from __future__ import annotations

import pytest
import torch

from rtseg.networks import MAIN, build_network
from rtseg.networks.counting import count_gmacs, count_parameters
from rtseg.networks.ddrnet import DAPPM, DDRNet


@pytest.fixture(scope="module")
def network() -> DDRNet:
    torch.manual_seed(0)
    return DDRNet(5).eval()


def test_size_and_cost_are_the_papers() -> None:
    with torch.device("meta"):
        network = build_network("ddrnet-23-slim", 19).eval().remove_training_heads()
    assert count_parameters(network) == 5_695_923  # "5.7 M"
    assert count_gmacs(network, (1024, 2048)) == pytest.approx(36.3, abs=0.05)


def test_wide_variant_is_ddrnet_23() -> None:
    with torch.device("meta"):
        network = DDRNet(19, width=64, pyramid=128, head=128).eval().remove_training_heads()
    assert count_parameters(network) == pytest.approx(20.1e6, rel=0.02)
    assert count_gmacs(network, (1024, 2048)) == pytest.approx(143.1, rel=0.01)


@pytest.mark.parametrize("hw", [(32, 32), (45, 61), (64, 96), (65, 129), (90, 121)])
def test_both_heads_stand_at_an_eighth_of_any_size(network: DDRNet, hw: tuple[int, int]) -> None:
    images = torch.randn(1, 3, *hw)
    with torch.no_grad():
        outputs = network.forward_train(images)
        main = network(images)
    assert list(outputs) == [MAIN, "detail"]
    for logits in outputs.values():
        assert logits.shape == (1, 5, -(-hw[0] // 8), -(-hw[1] // 8))
    torch.testing.assert_close(main, outputs[MAIN])


def test_the_detail_head_counts_0_4_and_is_removable() -> None:
    network = DDRNet(5)
    assert network.heads["detail"].weight == 0.4
    assert network.heads["detail"].target == "classes"
    network.remove_training_heads()
    assert list(network.heads) == [MAIN]
    assert not hasattr(network, "head_detail")


def learning(network: DDRNet, head: str) -> set[str]:
    """Return which parts of the network a head's logits depend on."""
    network.zero_grad(set_to_none=True)
    network.train().forward_train(torch.randn(2, 3, 64, 64))[head].square().sum().backward()
    return {
        name.split(".")[0] for name, each in network.named_parameters() if each.grad is not None
    }


def test_the_detail_head_reads_the_high_branch_after_the_first_fusion() -> None:
    network = DDRNet(5)
    shared = {"stem", "layer1", "layer2"}
    assert learning(network, "detail") == shared | {"low3", "high3", "compress3", "head_detail"}


def test_the_main_head_reads_both_branches_fused_both_ways() -> None:
    network = DDRNet(5)
    everything = {name for name, _ in network.named_children()}
    assert learning(network, MAIN) == everything - {"head_detail"}


@pytest.mark.parametrize("hw", [(1, 1), (1, 2), (6, 8), (9, 17)])
def test_pyramid_takes_maps_of_any_size(hw: tuple[int, int]) -> None:
    pyramid = DAPPM(8, 4, 6).eval()
    with torch.no_grad():
        result = pyramid(torch.randn(2, 8, *hw))
    assert result.shape == (2, 6, *hw)
    assert result.isfinite().all()


def test_pyramid_carries_each_cell_everywhere() -> None:
    pyramid = DAPPM(8, 4, 6).eval()
    maps = torch.rand(1, 8, 6, 8)
    other = maps.clone()
    other[..., 0, 0] += 50
    with torch.no_grad():
        moved = (pyramid(other) - pyramid(maps)).abs().amax(1)[0]
    assert (moved > 0).all()
