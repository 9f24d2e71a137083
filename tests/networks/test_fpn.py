"""FPN: the top-down pathway, the steps of the semantic branch, counts of a re-implementation."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rtseg.networks import build_network
from rtseg.networks.counting import count_parameters
from rtseg.networks.encoders import ENCODERS
from rtseg.networks.fpn import FeaturePyramid, SemanticBranch, SemanticFPN


def on_meta(encoder: str = "resnet18", num_classes: int = 19) -> SemanticFPN:
    with torch.device("meta"):
        network = build_network(f"fpn-{encoder}", num_classes).eval()
    assert isinstance(network, SemanticFPN)
    return network


def test_without_the_outputs_3x3_it_is_the_popular_re_implementation() -> None:
    network = on_meta("resnet50")
    extra = count_parameters(network.pyramid.outputs)
    assert (count_parameters(network) - extra) / 1e6 == pytest.approx(26.1, rel=0.005)


def narrow_pyramid() -> tuple[FeaturePyramid, list[Tensor]]:
    """Return a pyramid of one channel whose laterals and outputs change nothing, and maps."""
    with torch.device("meta"):
        encoder = ENCODERS["resnet18"](32)
    encoder.channels = (1,) * 5
    pyramid = FeaturePyramid(encoder, 1)
    for conv in (*pyramid.laterals, *pyramid.outputs):
        nn.init.dirac_(conv.weight)
        nn.init.zeros_(conv.bias)
    sizes = ((9, 13), (9, 13), (5, 7), (3, 4), (2, 2))  # of the stem, stride 4, 8, 16 and 32
    return pyramid, [torch.randn(1, 1, *size) for size in sizes]


def test_coarser_levels_are_repeated_and_added() -> None:
    pyramid, maps = narrow_pyramid()
    with torch.no_grad():
        levels = pyramid(maps)
    expected = maps[4]
    torch.testing.assert_close(levels[3], expected)
    for number in (2, 1, 0):
        fine = maps[number + 1]
        height, width = fine.shape[-2:]
        repeated = expected.repeat_interleave(2, 2).repeat_interleave(2, 3)
        expected = fine + repeated[..., :height, :width]
        torch.testing.assert_close(levels[number], expected)


def test_every_level_takes_as_many_steps_as_it_has_to_be_doubled() -> None:
    branch = on_meta().branch
    assert [len(steps) for steps in branch.levels] == [1, 1, 2, 3]
    convs = [each for each in branch.modules() if isinstance(each, nn.Conv2d)]
    assert sorted((each.in_channels, each.out_channels) for each in convs) == [
        *[(128, 128)] * 3,
        *[(256, 128)] * 4,
    ]
    norms = [each for each in branch.modules() if isinstance(each, nn.GroupNorm)]
    assert len(norms) == 7
    assert {each.num_groups for each in norms} == {32}


def test_the_branch_is_its_formula() -> None:
    branch = SemanticBranch(4, 32)
    levels = [torch.randn(1, 4, 16 >> number, 24 >> number) for number in range(4)]
    expected = branch.levels[0][0](levels[0])
    for number in (1, 2, 3):
        x = levels[number]
        for step in branch.levels[number]:
            x = F.interpolate(step(x), scale_factor=2, mode="bilinear", align_corners=False)
        expected = expected + x
    torch.testing.assert_close(branch(levels), expected)


def test_an_odd_level_keeps_its_place() -> None:
    branch = SemanticBranch(1, 32).double()
    for norm in (each for each in branch.modules() if isinstance(each, nn.GroupNorm)):
        nn.init.zeros_(norm.weight)
    place = branch.levels[2]
    nn.init.ones_(place[-1][1].bias)
    levels = [torch.zeros(1, 1, *size, dtype=torch.float64) for size in ((9, 13), (5, 7), (3, 4),
                                                                         (2, 2))]  # fmt: skip
    with torch.no_grad():
        assert branch(levels).shape == (1, 32, 9, 13)
        torch.testing.assert_close(branch(levels), torch.ones(1, 32, 9, 13, dtype=torch.float64))


def test_logits_of_odd_sizes_have_stride_4() -> None:
    assert on_meta()(torch.empty(1, 3, 65, 99, device="meta")).shape == (1, 19, 17, 25)
