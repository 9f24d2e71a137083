"""GCN: the large kernel that its branches make, boundary refinement, doubling."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rtseg.networks import build_network
from rtseg.networks.gcn import GCN, BoundaryRefinement, GlobalConv
from rtseg.networks.upsampling import TransposedConvolution


def on_meta(encoder: str = "resnet18", num_classes: int = 4) -> GCN:
    with torch.device("meta"):
        network = build_network(f"gcn-{encoder}", num_classes).eval()
    assert isinstance(network, GCN)
    return network


def without_bias(module: nn.Module) -> None:
    for each in module.modules():
        if isinstance(each, nn.Conv2d) and each.bias is not None:
            nn.init.zeros_(each.bias)


def dense_kernel(conv: GlobalConv) -> Tensor:
    """Return the k x k kernel [K, C, k, k] that both branches make together."""

    def product(first: Tensor, second: Tensor) -> Tensor:
        return torch.einsum("mchw,kmyx->kchwyx", first, second)

    tall, wide = (each.weight for each in conv.tall_wide)
    left = product(tall, wide)[:, :, :, 0, 0, :]  # [K, C, k, k], rows of the first
    wide, tall = (each.weight for each in conv.wide_tall)
    right = product(wide, tall)[:, :, 0, :, :, 0].transpose(2, 3)
    return left + right


@pytest.mark.parametrize("kernel", [3, 7, 15])
def test_two_branches_are_one_dense_kernel(kernel: int) -> None:
    conv = GlobalConv(3, 2, kernel).double()
    without_bias(conv)
    maps = torch.randn(1, 3, 20, 23, dtype=torch.float64)
    expected = F.conv2d(maps, dense_kernel(conv), padding=kernel // 2)
    torch.testing.assert_close(conv(maps), expected)


def test_kernels_of_the_registered_networks_are_15() -> None:
    network = on_meta()
    sizes = {
        each.kernel_size
        for conv in network.modules()
        if isinstance(conv, GlobalConv)
        for each in conv.modules()
        if isinstance(each, nn.Conv2d)
    }
    assert sizes == {(15, 1), (1, 15)}


@pytest.mark.parametrize(
    ("encoder", "channels"),
    [("resnet18", [512, 256, 128, 64]), ("resnet50", [2048, 1024, 512, 256])],
)
def test_four_stages_become_score_maps_of_k_classes(encoder: str, channels: list[int]) -> None:
    network = on_meta(encoder)
    convs = [each for each in network.modules() if isinstance(each, GlobalConv)]
    assert [each.tall_wide[0].in_channels for each in convs] == channels
    assert {each.wide_tall[1].out_channels for each in convs} == {4}
    refinements = [each for each in network.modules() if isinstance(each, BoundaryRefinement)]
    assert len(refinements) == 9, "one a stage, one behind each of five doublings"


def test_boundary_refinement_is_its_formula() -> None:
    block, scores = BoundaryRefinement(3), torch.randn(2, 3, 6, 7)
    inner = F.relu(F.conv2d(scores, block.conv1.weight, block.conv1.bias, padding=1))
    expected = scores + F.conv2d(inner, block.conv2.weight, block.conv2.bias, padding=1)
    torch.testing.assert_close(block(scores), expected)


def test_doubling_starts_as_bilinear_enlargement() -> None:
    double, maps = TransposedConvolution(3, 2), torch.randn(1, 3, 6, 7)
    double.initialise_bilinear()
    with torch.no_grad():
        doubled = double(maps)
    expected = F.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(doubled[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1])


def test_a_fresh_network_has_bilinear_doublings() -> None:
    weights = [each.weight for each in build_network("gcn-resnet18", 2).modules()
               if isinstance(each, TransposedConvolution)]  # fmt: skip
    assert len(weights) == 5
    line = torch.tensor([0.25, 0.75, 0.75, 0.25])
    for weight in weights:
        torch.testing.assert_close(weight[0, 0].detach(), line[:, None] * line)
        assert not weight[0, 1].any()


@pytest.mark.parametrize("hw", [(64, 96), (65, 99), (33, 47)])
def test_logits_have_the_pictures_size(hw: tuple[int, int]) -> None:
    assert on_meta()(torch.empty(1, 3, *hw, device="meta")).shape == (1, 4, *hw)
