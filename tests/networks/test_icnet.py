"""ICNet is the released network: its sizes, its one trunk, its pooling windows, its three heads."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rtseg.networks import MAIN, build_network
from rtseg.networks.counting import count_gmacs, count_parameters
from rtseg.networks.icnet import ICNet, PyramidPooling, pooling_window
from rtseg.training.criterion import Criterion, CriterionConfig

ODD_SIZES = [(32, 32), (45, 61), (64, 96), (65, 129), (90, 121)]


def up(size: int, stride: int) -> int:
    return -(-size // stride)


def deployed(name: str, num_classes: int = 19) -> ICNet:
    with torch.device("meta"):
        network = build_network(name, num_classes).eval().remove_training_heads()
    assert isinstance(network, ICNet)
    return network


@pytest.fixture
def network() -> ICNet:
    return ICNet(5).eval()


def seen_by(module: nn.Module) -> list[Tensor]:
    """Return a list that fills with the inputs of `module`, call by call."""
    inputs: list[Tensor] = []
    module.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0]))
    return inputs


def test_released_network_is_counted_exactly() -> None:
    network = deployed("icnet")
    assert count_parameters(network) == 6_699_987
    assert count_gmacs(network, (1025, 2049)) == pytest.approx(29.81, abs=0.01)
    assert count_gmacs(network, (721, 961)) == pytest.approx(9.906, abs=0.01)


def test_full_width_is_the_unpruned_network() -> None:
    network = deployed("icnet-full", num_classes=12)
    assert count_parameters(network) == pytest.approx(26.70e6, rel=2e-3)
    assert 2 * count_gmacs(network, (720, 960)) == pytest.approx(75.8, rel=2e-3)


def test_pooling_windows_are_the_released_ones() -> None:
    released = {2: [(17, 16), (33, 32)], 3: [(13, 10), (25, 20)], 6: [(8, 5), (15, 10)]}
    for bins, windows in released.items():
        assert [pooling_window(size, bins) for size in (33, 65)] == windows


@pytest.mark.parametrize("bins", PyramidPooling.BINS)
def test_pooling_windows_cover_any_map(bins: int) -> None:
    for size in range(1, 90):
        kernel, stride = pooling_window(size, bins)
        starts = range(0, size - kernel + 1, stride)
        assert len(starts) == min(bins, size)
        assert starts[-1] + kernel == size
        assert 1 <= stride <= kernel


def test_pooling_windows_are_adaptive_where_the_bins_divide() -> None:
    maps = torch.randn(1, 2, 12, 18)
    for bins in PyramidPooling.BINS:
        kernel_h, stride_h = pooling_window(12, bins)
        kernel_w, stride_w = pooling_window(18, bins)
        pooled = F.avg_pool2d(maps, (kernel_h, kernel_w), (stride_h, stride_w))
        torch.testing.assert_close(pooled, F.adaptive_avg_pool2d(maps, bins))


@pytest.mark.parametrize("hw", [(1, 1), (1, 7), (2, 5), (5, 3), (6, 6), (33, 65)])
def test_pyramid_adds_four_averages_to_maps_of_any_size(hw: tuple[int, int]) -> None:
    pooling = PyramidPooling()
    flat = torch.full((1, 2, *hw), 3.0)
    torch.testing.assert_close(pooling(flat), 5 * flat)
    maps = torch.randn(1, 2, *hw)
    torch.testing.assert_close(pooling(maps).shape, maps.shape)
    torch.testing.assert_close(pooling(2 * maps), 2 * pooling(maps))


@pytest.mark.parametrize("hw", ODD_SIZES)
def test_heads_stand_at_a_quarter_an_eighth_and_a_sixteenth(
    network: ICNet, hw: tuple[int, int]
) -> None:
    with torch.no_grad():
        images = torch.randn(1, 3, *hw)
        outputs = network.forward_train(images)
        main = network(images)
    for name, stride in ((MAIN, 4), ("sub24", 8), ("sub4", 16)):
        assert outputs[name].shape == (1, 5, up(hw[0], stride), up(hw[1], stride))
    torch.testing.assert_close(main, outputs[MAIN])


@pytest.mark.parametrize("hw", ODD_SIZES)
def test_the_trunk_runs_once_on_the_half_size_picture(network: ICNet, hw: tuple[int, int]) -> None:
    trunk = seen_by(network.stem)
    with torch.no_grad():
        network.forward_train(torch.randn(1, 3, *hw))
    assert [maps.shape for maps in trunk] == [(1, 3, up(hw[0], 2), up(hw[1], 2))]


def test_the_low_branch_goes_on_from_conv3_1(network: ICNet) -> None:
    low = seen_by(network.conv3)
    conv3_1: list[Tensor] = []
    network.conv3_1.register_forward_hook(lambda *arguments: conv3_1.append(arguments[2]))
    with torch.no_grad():
        network(torch.randn(1, 3, 65, 129))
    assert len(low) == len(conv3_1) == 1
    torch.testing.assert_close(low[0], conv3_1[0][..., ::2, ::2])  # corners aligned, 5x9 -> 3x5


def test_sizes_of_32k_plus_1_are_halved_without_blur(network: ICNet) -> None:
    trunk = seen_by(network.stem)
    images = torch.randn(1, 3, 65, 129)
    with torch.no_grad():
        network(images)
    torch.testing.assert_close(trunk[0], images[..., ::2, ::2])


def test_the_detail_branch_sees_the_full_picture(network: ICNet) -> None:
    detail = seen_by(network.detail[0])
    with torch.no_grad():
        network(torch.randn(1, 3, 45, 61))
    assert [maps.shape for maps in detail] == [(1, 3, 45, 61)]


def test_cascade_is_supervised_on_labels_brought_down_to_each_map(network: ICNet) -> None:
    weights = {name: (head.weight, head.resize) for name, head in network.heads.items()}
    assert weights == {"main": (1.0, "labels"), "sub24": (0.4, "labels"), "sub4": (0.16, "labels")}
    hw = (45, 61)
    right = torch.arange(hw[1]) // 31 * torch.ones(hw[0], 1, dtype=torch.int64)  # two halves
    logits = {
        name: 20 * F.one_hot(_smaller(right, up(hw[0], stride), up(hw[1], stride)), 5)
        for name, stride in ((MAIN, 4), ("sub24", 8), ("sub4", 16))
    }
    outputs = {name: value.permute(2, 0, 1)[None].float() for name, value in logits.items()}
    criterion = Criterion(CriterionConfig(), network.heads, 5)
    total, parts = criterion(outputs, right[None])
    assert set(parts) == {f"{name}/cross_entropy" for name in network.heads}
    assert float(total) < 1e-4


def _smaller(labels: Tensor, height: int, width: int) -> Tensor:
    planes = labels[None, None].to(torch.uint8)
    return F.interpolate(planes, size=(height, width), mode="nearest-exact")[0, 0].long()


def test_every_parameter_learns() -> None:
    network = ICNet(5).train()
    outputs = network.forward_train(torch.randn(2, 3, 64, 64))
    torch.stack([logits.square().mean() for logits in outputs.values()]).sum().backward()
    still = [name for name, each in network.named_parameters() if each.grad is None]
    assert not still
