"""PIDNet-S: the paper's size and cost, and what each of the three branches hands to whom."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rtseg.networks import MAIN, TrainingHead, build_network
from rtseg.networks.counting import count_gmacs, count_parameters
from rtseg.networks.pidnet import PAPPM, LightBag, Pag, PIDNet


@pytest.fixture(scope="module")
def network() -> PIDNet:
    torch.manual_seed(0)
    return PIDNet(5).eval()


def test_size_and_cost_are_the_papers() -> None:
    with torch.device("meta"):
        network = build_network("pidnet-s", 19).eval().remove_training_heads()
    assert count_parameters(network) == 7_625_651
    assert count_gmacs(network, (1024, 2048)) == pytest.approx(47.2, abs=0.05)
    assert count_gmacs(network, (720, 960)) == pytest.approx(15.6, abs=0.05)


def test_twice_as_wide_is_pidnet_m() -> None:
    with torch.device("meta"):
        network = PIDNet(19, width=64).eval().remove_training_heads()
    assert count_parameters(network) == pytest.approx(28.54e6, rel=2e-3)
    assert count_gmacs(network, (1024, 2048)) == pytest.approx(177, rel=5e-3)


@pytest.mark.parametrize("hw", [(32, 32), (45, 61), (64, 96), (65, 129), (90, 121)])
def test_heads_stand_at_an_eighth_of_any_size(network: PIDNet, hw: tuple[int, int]) -> None:
    images = torch.randn(1, 3, *hw)
    with torch.no_grad():
        outputs = network.forward_train(images)
        main = network(images)
    map_hw = (-(-hw[0] // 8), -(-hw[1] // 8))
    assert {name: logits.shape for name, logits in outputs.items()} == {
        MAIN: (1, 5, *map_hw),
        "detail": (1, 5, *map_hw),
        "boundary": (1, 1, *map_hw),
    }
    torch.testing.assert_close(main, outputs[MAIN])


def test_heads_are_weighted_as_in_the_paper(network: PIDNet) -> None:
    assert dict(network.heads) == {
        MAIN: TrainingHead(1.0),
        "detail": TrainingHead(0.4),
        "boundary": TrainingHead(20.0, target="boundary"),
    }


def learning(head: str) -> set[str]:
    """Return which parts of the network a head's logits depend on."""
    network = PIDNet(5).train()
    network.forward_train(torch.randn(2, 3, 64, 64))[head].square().sum().backward()
    return {
        name.split(".")[0] for name, each in network.named_parameters() if each.grad is not None
    }


def test_the_detail_head_reads_p_after_stage_3() -> None:
    shared = {"stem", "layer1", "layer2", "i3"}
    assert learning("detail") == shared | {"p3", "compress3", "pag3", "head_detail"}


def test_the_boundary_head_reads_d_after_stage_4() -> None:
    shared = {"stem", "layer1", "layer2", "i3", "i4"}
    assert learning("boundary") == shared | {"d3", "d4", "diff3", "diff4", "head_boundary"}


def test_the_main_head_reads_all_branches() -> None:
    everything = {name for name, _ in PIDNet(5).named_children()}
    assert learning(MAIN) == everything - {"head_detail", "head_boundary"}


def test_pag_blends_two_maps_pixel_by_pixel() -> None:
    pag = Pag(6, 3).eval()
    detail, context = torch.rand(2, 6, 8, 10), 5 + torch.rand(2, 6, 4, 5)
    with torch.no_grad():
        torch.testing.assert_close(pag(detail, detail), detail)
        blended = pag(detail, context)
        wide = nn.functional.interpolate(context, (8, 10), mode="bilinear", align_corners=False)
    share = (blended - detail) / (wide - detail)
    torch.testing.assert_close(share, share[:, :1].expand_as(share), rtol=1e-4, atol=1e-5)
    assert ((share > 0) & (share < 1)).all()


def test_pag_takes_the_context_where_both_agree() -> None:
    pag = Pag(1, 1).eval()
    for embed in (pag.embed_detail, pag.embed_context):
        nn.init.ones_(embed[0].weight)
    detail, context = torch.tensor([9.0, -9.0]), torch.tensor([8.0, 8.0])
    with torch.no_grad():
        blended = pag(detail.view(1, 1, 1, 2), context.view(1, 1, 1, 2)).flatten()
    torch.testing.assert_close(blended, torch.tensor([8.0, -9.0]))


def test_light_bag_follows_the_boundary() -> None:
    bag = LightBag(2).eval()
    for layer in (bag.detail, bag.context):
        nn.init.dirac_(layer[0].weight)
    detail, context = torch.full((1, 2, 1, 1), 10.0), torch.full((1, 2, 1, 1), 1.0)
    with torch.no_grad():
        inside = bag(detail, context, torch.full((1, 2, 1, 1), -40.0))
        at_boundary = bag(detail, context, torch.full((1, 2, 1, 1), 40.0))
    torch.testing.assert_close(inside, detail + 2 * context, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(at_boundary, 2 * detail + context, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("hw", [(1, 1), (1, 2), (6, 8), (9, 17)])
def test_pyramid_takes_maps_of_any_size(hw: tuple[int, int]) -> None:
    pyramid = PAPPM(8, 4, 6).eval()
    with torch.no_grad():
        result = pyramid(torch.randn(2, 8, *hw))
    assert result.shape == (2, 6, *hw)
    assert result.isfinite().all()
