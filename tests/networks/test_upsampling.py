"""Upsampling layers: against torch's own operations, and what makes a checkerboard."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rtseg.errors import ConfigError, UnknownNameError
from rtseg.networks.upsampling import (
    UPSAMPLINGS,
    BedOfNails,
    MaxUnpooling,
    TransposedConvolution,
    bilinear_weights,
    overlaps,
    pooling_indices,
)

OF_A_MAP = ["nearest", "bed-of-nails", "transposed-convolution", "bilinear"]


def in_order(*shape: int) -> Tensor:
    return torch.arange(1.0, 1 + torch.Size(shape).numel()).reshape(shape)


@pytest.mark.parametrize("name", OF_A_MAP)
@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_a_map_becomes_factor_times_as_high_and_wide(name: str, factor: int) -> None:
    layer = UPSAMPLINGS[name](5, factor)
    assert layer(torch.randn(2, 5, 3, 4)).shape == (2, 5, 3 * factor, 4 * factor)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'bilinear'"):
        UPSAMPLINGS["bilinaer"]


@pytest.mark.parametrize("name", OF_A_MAP)
def test_factors_below_one_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="can't be upsampled by 0"):
        UPSAMPLINGS[name](5, 0)


@pytest.mark.parametrize("name", ["nearest", "bilinear"])
def test_interpolations_are_those_of_torch(name: str) -> None:
    x = torch.randn(2, 3, 4, 5)
    how = {"align_corners": False} if name == "bilinear" else {}
    expected = F.interpolate(x, scale_factor=3, mode=name, **how)
    torch.testing.assert_close(UPSAMPLINGS[name](3, 3)(x), expected)


def test_a_bed_of_nails_is_zero_but_for_the_corners() -> None:
    cells = BedOfNails(1, 2)(in_order(1, 1, 2, 2))
    assert cells[0, 0].tolist() == [[1, 0, 2, 0], [0, 0, 0, 0], [3, 0, 4, 0], [0, 0, 0, 0]]


def test_max_unpooling_puts_values_where_the_maxima_were() -> None:
    before = torch.tensor([[1.0, 5.0, 2.0, 2.0], [3.0, 0.0, 9.0, 2.0]])[None, None]
    cells = MaxUnpooling(1)(torch.tensor([[[[7.0, -8.0]]]]), pooling_indices(before))
    assert cells[0, 0].tolist() == [[0, 7, 0, 0], [0, 0, -8, 0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("largest", [1, 3, 1000])  # the fewer values, the more windows have ties
def test_max_unpooling_is_that_of_torch_ties_included(largest: int, dtype: torch.dtype) -> None:
    before = torch.randint(0, largest, (3, 4, 32, 48)).to(dtype)
    _, indices = F.max_pool2d(before.float(), 2, return_indices=True)
    values = torch.randn(3, 4, 16, 24, dtype=dtype)
    expected = F.max_unpool2d(values.float(), indices, 2).to(dtype)
    assert torch.equal(MaxUnpooling(4)(values, pooling_indices(before)), expected)


def test_equals_go_to_the_first_of_their_window() -> None:
    ones = MaxUnpooling(1)(torch.ones(1, 1, 2, 2), pooling_indices(torch.zeros(1, 1, 4, 4)))
    assert torch.equal(ones, BedOfNails(1, 2)(torch.ones(1, 1, 2, 2)))


def test_max_unpooling_passes_the_gradient_of_the_cells_it_filled() -> None:
    before = torch.randn(1, 2, 4, 4)
    values = torch.randn(1, 2, 2, 2, requires_grad=True)
    weights = in_order(1, 2, 4, 4)
    (MaxUnpooling(2)(values, pooling_indices(before)) * weights).sum().backward()
    _, indices = F.max_pool2d(before, 2, return_indices=True)
    expected = weights.flatten(2).gather(2, indices.flatten(2)).reshape(1, 2, 2, 2)
    assert values.grad is not None
    assert torch.equal(values.grad, expected)


def test_max_unpooling_of_another_factor_is_refused() -> None:
    with pytest.raises(ConfigError, match="can't have factor 4"):
        UPSAMPLINGS["max-unpooling"](8, 4)


def covered(kernel: int, stride: int) -> Tensor:
    """Return what a transposed convolution of ones makes of a map of ones, its border cut off."""
    layer = nn.ConvTranspose2d(1, 1, kernel, stride, bias=False)
    nn.init.ones_(layer.weight)
    with torch.no_grad():
        cells = layer(torch.ones(1, 1, 12, 12))[0, 0]
    border = kernel // stride * stride + stride  # a whole number of periods
    return cells[border : border + 3 * stride, border : border + 3 * stride]


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 2), (5, 3), (6, 4)])
def test_a_kernel_that_the_stride_does_not_divide_makes_a_checkerboard(
    kernel: int, stride: int
) -> None:
    line = torch.tensor(overlaps(kernel, stride) * 3).float()
    assert len(set(overlaps(kernel, stride))) > 1
    assert torch.equal(covered(kernel, stride), line[:, None] * line)


@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (4, 2), (6, 3), (8, 4), (16, 8)])
def test_a_kernel_that_the_stride_divides_covers_evenly(kernel: int, stride: int) -> None:
    assert overlaps(kernel, stride) == (kernel // stride,) * stride
    assert torch.equal(
        covered(kernel, stride), torch.full((3 * stride,) * 2, (kernel / stride) ** 2)
    )


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_the_layer_keeps_a_constant_map_constant(factor: int) -> None:
    layer = TransposedConvolution(2, factor)
    assert len(set(overlaps(layer.kernel_size[0], factor))) == 1
    with torch.no_grad():
        inner = layer(torch.full((1, 2, 6, 6), 3.0))[
            ..., 2 * factor : -2 * factor, 2 * factor : -2 * factor
        ]
    torch.testing.assert_close(inner, torch.full_like(inner, 3.0))


@pytest.mark.parametrize(("kernel", "factor"), [(3, 2), (5, 2), (6, 4), (1, 2), (6, 3), (2, 4)])
def test_sizes_that_make_checkerboards_or_do_not_fit_are_refused(kernel: int, factor: int) -> None:
    with pytest.raises(ConfigError, match=f"can't have kernel {kernel} at stride {factor}"):
        TransposedConvolution(2, factor, kernel)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_transposed_convolution_starts_as_bilinear_upsampling(factor: int) -> None:
    x = torch.randn(2, 3, 6, 7)
    with torch.no_grad():
        cells = TransposedConvolution(3, factor)(x)
    expected = UPSAMPLINGS["bilinear"](3, factor)(x)
    inner = (..., slice(factor, -factor), slice(factor, -factor))  # beyond it, borders differ
    torch.testing.assert_close(cells[inner], expected[inner])


def test_bilinear_weights_are_those_of_the_nearness() -> None:
    assert bilinear_weights(4, 2).tolist() == [0.25, 0.75, 0.75, 0.25]


def test_a_joint_pyramid_makes_one_fine_map_of_three() -> None:
    layer = UPSAMPLINGS["joint-pyramid"](8, 4).eval()
    maps = [torch.randn(1, 8 << step, 16 >> step, 24 >> step) for step in range(3)]
    assert layer(maps).shape == (1, 32, 16, 24)


def test_a_joint_pyramid_whose_maps_do_not_halve_is_refused() -> None:
    with pytest.raises(ConfigError, match="can't have factor 6"):
        UPSAMPLINGS["joint-pyramid"](8, 6)


@pytest.mark.parametrize("name", OF_A_MAP)
def test_layers_export_without_operations_that_engines_lack(name: str) -> None:
    program = torch.export.export(UPSAMPLINGS[name](3, 2), (torch.randn(1, 3, 4, 6),))
    targets = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert not [each for each in targets if "nearest" in each or "scatter" in each]
