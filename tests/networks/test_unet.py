"""U-Net: the paper's sizes and parameters, its mirrored border, and the options."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from rtseg.networks import SegmentationNetwork
from rtseg.networks.counting import count_parameters
from rtseg.networks.squeeze_excitation import ConcurrentExcitation
from rtseg.networks.unet import MARGIN_PX, UNet, UNetValid, centre_crop, mirror_border


def on_meta(family: type[UNet], *arguments: object, **options: object) -> UNet:
    with torch.device("meta"):
        return family(*arguments, **options).eval()  # type: ignore[arg-type]


def sizes_of(network: SegmentationNetwork, hw: tuple[int, int]) -> list[int]:
    """Return the height of every stage's map, contracting then expanding."""
    heights: list[int] = []
    for stage in (*network.get_submodule("contracting"), *network.get_submodule("expanding")):
        stage.register_forward_hook(lambda _, __, maps: heights.append(maps.shape[-2]))
    network(torch.empty(1, 3, *hw, device="meta"))
    return heights


def test_the_papers_network_has_its_parameters() -> None:
    assert count_parameters(on_meta(UNetValid, 2)) == 31_031_810
    assert count_parameters(on_meta(UNet, 2)) == pytest.approx(31.04e6, rel=1e-3)
    assert count_parameters(on_meta(UNet, 2, width=32)) == pytest.approx(31.04e6 / 4, rel=1e-3)


def test_maps_of_the_papers_picture_have_the_sizes_of_figure_1() -> None:
    heights = sizes_of(on_meta(UNetValid, 2, width=2), (388, 388))
    assert heights == [568, 280, 136, 64, 28, 52, 100, 196, 388]
    assert sizes_of(on_meta(UNet, 2, width=2), (96, 96)) == [96, 48, 24, 12, 6, 12, 24, 48, 96]


@pytest.mark.parametrize("hw", [(388, 388), (120, 200), (360, 480), (123, 137)])
def test_the_border_is_the_pictures_mirror_image(hw: tuple[int, int]) -> None:
    images = torch.randn(1, 2, *hw)
    padded = mirror_border(images)
    below, right = (size - own - MARGIN_PX for size, own in zip(padded.shape[2:], hw, strict=True))
    assert MARGIN_PX <= below < MARGIN_PX + 16
    assert MARGIN_PX <= right < MARGIN_PX + 16
    assert all((size - 60) % 16 == 0 for size in padded.shape[2:])
    expected = F.pad(images, (MARGIN_PX, right, MARGIN_PX, below), mode="reflect")
    assert torch.equal(padded, expected)


def test_a_picture_smaller_than_the_border_is_mirrored_again_and_again() -> None:
    rows = torch.arange(33.0)[:, None].expand(1, 1, 33, 40)
    column = mirror_border(rows)[0, 0, :, 0]
    places = (torch.arange(len(column)) - MARGIN_PX) % 64
    assert torch.equal(column, torch.minimum(places, 64 - places).float())


def test_a_logit_depends_only_on_the_pixels_that_it_can_see() -> None:
    network = UNetValid(2, width=2).eval()
    images = torch.randn(1, 3, 64, 244)
    changed = images.clone()
    changed[..., :48] += 1
    with torch.no_grad():
        difference = (network(images) - network(changed)).abs().sum((0, 1, 2))
    assert (difference[:48] > 0).any()
    assert not difference[48 + MARGIN_PX + 16 :].any()


@pytest.mark.parametrize("hw", [(32, 32), (64, 96), (71, 45)])
def test_valid_logits_cover_a_picture_of_any_size(hw: tuple[int, int]) -> None:
    logits = on_meta(UNetValid, 5, width=2)(torch.empty(2, 3, *hw, device="meta"))
    assert logits.shape == (2, 5, *hw)


def test_skips_are_cut_to_their_middle() -> None:
    maps = torch.arange(64.0).reshape(1, 1, 8, 8)
    assert torch.equal(centre_crop(maps, torch.empty(1, 1, 4, 6)), maps[..., 2:6, 1:7])


def test_batch_norm_and_dropout_are_options() -> None:
    def of(network: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
        return [each for each in network.modules() if isinstance(each, kind)]

    plain = on_meta(UNet, 2, width=4, batch_norm=False)
    assert not of(plain, nn.BatchNorm2d)
    assert not of(plain, nn.Dropout)
    assert all(each.bias is not None for each in of(plain, nn.Conv2d))
    network = on_meta(UNet, 2, width=4, dropout=0.3)
    assert len(of(network, nn.BatchNorm2d)) == 18
    assert [len(of(stage, nn.Dropout)) for stage in network.contracting] == [0, 0, 0, 1, 1]
    assert not of(network.expanding, nn.Dropout)
    assert [each.p for each in of(on_meta(UNetValid, 2), nn.Dropout)] == [0.5, 0.5]


@pytest.mark.parametrize("merge", ["add", "max"])
def test_scse_stands_behind_every_stage(merge: str) -> None:
    network = on_meta(UNet, 2, width=4, scse=merge)
    stages = (*network.contracting, *network.expanding)
    assert all(isinstance(stage[-1], ConcurrentExcitation) for stage in stages)
    assert {stage[-1].merge for stage in stages} == {merge}


def test_maps_keep_their_size_without_normalisation() -> None:
    network = UNetValid(3, width=16).eval()
    with torch.no_grad():
        deep = network._segment(torch.randn(1, 3, 188, 188))
    assert 0.01 < deep.std() < 0.3


@pytest.mark.parametrize("family", [UNet, UNetValid])
def test_steps_of_training_lower_the_loss(family: type[UNet]) -> None:
    network = family(2, width=4, dropout=0.0, scse="add").train()
    images = torch.randn(2, 3, 32, 32)
    labels = (images.mean(1) > 0).long()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    losses = []
    for _ in range(6):
        loss = F.cross_entropy(network.forward_train(images)["main"], labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
