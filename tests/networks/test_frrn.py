"""FRRN: the paper's parameters and table, and what each unit does with the two streams."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from rtseg.networks import build_network
from rtseg.networks.counting import count_parameters
from rtseg.networks.frrn import FRRN, FullResolutionResidualUnit, Level, ResidualUnit

TINY = (Level(1, 8, 2), Level(2, 8, 4), Level(1, 8, 2))


def on_meta(name: str) -> FRRN:
    with torch.device("meta"):
        network = build_network(name, 19).eval()
    assert isinstance(network, FRRN)
    return network


@pytest.mark.parametrize(("name", "millions"), [("frrn-a", 17.7), ("frrn-b", 24.8)])
def test_parameters_are_the_papers(name: str, millions: float) -> None:
    assert count_parameters(on_meta(name)) / 1e6 == pytest.approx(millions, abs=0.05)


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("frrn-a", "3x96/2 4x192/4 2x384/8 2x384/16 2x192/8 2x192/4 2x96/2"),
        ("frrn-b", "3x96/2 4x192/4 2x384/8 2x384/16 2x384/32 2x192/16 2x192/8 2x192/4 2x96/2"),
    ],
)
def test_units_are_those_of_the_papers_table(name: str, table: str) -> None:
    levels = [
        f"{len(units)}x{units[0].residual.in_channels}/{units[0].stride}"
        for units in on_meta(name).levels
    ]
    assert " ".join(levels) == table


def test_a_unit_reads_both_streams_and_adds_to_the_residual_one() -> None:
    unit = FullResolutionResidualUnit(8, 6, 4).eval()
    pooled, lanes = torch.randn(1, 8, 4, 6), torch.randn(1, 32, 16, 24)
    with torch.no_grad():
        onward, added = unit(pooled, lanes)
        expected = unit.conv2(unit.conv1(torch.cat((pooled, F.max_pool2d(lanes, 4)), 1)))
        residual = F.interpolate(unit.residual(expected), scale_factor=4, mode="nearest")
    torch.testing.assert_close(onward, expected)
    torch.testing.assert_close(added, lanes + residual)


def test_every_unit_hands_both_streams_to_the_next() -> None:
    network = FRRN(2, TINY).eval()
    calls: list[tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]] = []
    for unit in network.levels[1]:
        unit.register_forward_hook(lambda _, read, made: calls.append((read, made)))
    with torch.no_grad():
        network(torch.randn(1, 3, 32, 32))
    (_, handed_on), (read, _) = calls
    assert all(torch.equal(*pair) for pair in zip(read, handed_on, strict=True))


def test_a_residual_unit_projects_only_where_channels_change() -> None:
    x = torch.randn(1, 4, 5, 5)
    same, other = ResidualUnit(4, 4).eval(), ResidualUnit(4, 6).eval()
    with torch.no_grad():
        torch.testing.assert_close(same(x), same.conv2(same.conv1(x)) + x)
        torch.testing.assert_close(other(x), other.conv2(other.conv1(x)) + other.shortcut(x))


def test_logits_have_full_resolution() -> None:
    assert on_meta("frrn-b")(torch.empty(1, 3, 64, 96, device="meta")).shape == (1, 19, 64, 96)


def test_a_step_of_training_lowers_the_loss() -> None:
    network = FRRN(2, TINY).train()
    images = torch.randn(2, 3, 32, 32)
    labels = (images.mean(1) > 0).long()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(5):
        loss = F.cross_entropy(network.forward_train(images)["main"], labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
