"""Upsampling layers by name: six ways to make a map larger.

| name | takes | how a new cell gets its value |
|---|---|---|
| nearest | a map | that of the cell that it lies in |
| bed-of-nails | a map | one corner of each cell keeps the value, the rest is zero |
| max-unpooling | a map, pooling indices | the cell where a pooling found its maximum gets it |
| transposed-convolution | a map | learned: every cell adds a kernel of values |
| bilinear | a map | the mean of the four nearest cells, weighted by their nearness |
| joint-pyramid | maps from fine to coarse | learned from all of them, at four atrous rates |

Nearest, bilinear and transposed convolution: Long, Shelhamer, Darrell, CVPR 2015,
https://arxiv.org/abs/1411.4038. Max unpooling: Zeiler, Fergus, ECCV 2014,
https://arxiv.org/abs/1311.2901. What makes a checkerboard: Odena, Dumoulin, Olah: Deconvolution and
Checkerboard Artifacts, 2016, https://distill.pub/2016/deconv-checkerboard. Joint pyramid: Wu et
al., 2019, https://arxiv.org/abs/1903.11816.

All are made of operations that export as one graph and that TensorRT has: `F.max_unpool2d`, which
writes to places that depend on the data, is not among them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rtseg.errors import ConfigError
from rtseg.registry import Registry

UPSAMPLINGS: Registry[Callable[[int, int], nn.Module]] = Registry("upsampling")
"""Functions from the channels of a map and the factor to a layer, by name."""


class PoolingIndices(NamedTuple):
    """Where each 2x2 window has its maximum: two bits a window, as SegNet keeps them.

    Args:
        lower: [N, C, h, w] bool, whether it is in the window's lower row.
        right: [N, C, h, w] bool, whether it is in the window's right column.
    """

    lower: Tensor
    right: Tensor


def pooling_indices(x: Tensor) -> PoolingIndices:
    """Return where the 2x2 windows of [N, C, 2h, 2w] have their maxima; of equals, the first.

    Found by comparing the cells with each other and not with the pooled map, so that every window
    has exactly one, in whatever precision the pooling is done.
    """
    upper_left, upper_right = x[..., 0::2, 0::2], x[..., 0::2, 1::2]  # [N, C, h, w]
    lower_left, lower_right = x[..., 1::2, 0::2], x[..., 1::2, 1::2]
    lower = torch.maximum(lower_left, lower_right) > torch.maximum(upper_left, upper_right)
    right_of_upper, right_of_lower = upper_right > upper_left, lower_right > lower_left
    right = (lower & right_of_lower) | (~lower & right_of_upper)
    return PoolingIndices(lower, right)


@UPSAMPLINGS.register("nearest")
class Nearest(nn.Module):
    """Repeats every cell `factor` times in both directions.

    Args:
        channels: of the map; any number will do.
        factor: how many times as high and wide the map becomes.
    """

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__()
        self.factor = checked_factor(factor)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, C, factor * h, factor * w]."""
        batch, channels, height, width = x.shape
        cells = x[:, :, :, None, :, None].expand(-1, -1, -1, self.factor, -1, self.factor)
        return cells.reshape(batch, channels, height * self.factor, width * self.factor)


@UPSAMPLINGS.register("bed-of-nails")
class BedOfNails(nn.Module):
    """Puts every value into the upper left cell of `factor` x `factor`; zero in the others.

    The arguments are those of `Nearest`.
    """

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__()
        self.factor = checked_factor(factor)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, C, factor * h, factor * w]."""
        batch, channels, height, width = x.shape
        nothing = [torch.zeros_like(x)] * (self.factor - 1)
        rows = torch.stack([x, *nothing], dim=4).flatten(3)  # [N, C, h, factor * w]
        nothing = [torch.zeros_like(rows)] * (self.factor - 1)
        cells = torch.stack([rows, *nothing], dim=3)  # [N, C, h, factor, factor * w]
        return cells.reshape(batch, channels, height * self.factor, width * self.factor)


@UPSAMPLINGS.register("max-unpooling")
class MaxUnpooling(nn.Module):
    """Puts every value where a 2x2 pooling found its maximum; zero in the other three cells.

    The inverse of that pooling as far as there is one, and equal to `F.max_unpool2d`.

    Args:
        channels: of the map; any number will do.
        factor: 2.

    Raises:
        ConfigError: another factor.
    """

    def __init__(self, channels: int, factor: int = 2) -> None:
        super().__init__()
        if factor != 2:
            raise ConfigError(
                f"max unpooling can't have factor {factor}: it undoes poolings of 2x2; chain "
                "several for 4 or 8"
            )

    def forward(self, x: Tensor, indices: PoolingIndices) -> Tensor:
        """Return [N, C, 2h, 2w] of `x` [N, C, h, w] and the indices of a pooling to that size."""
        batch, channels, height, width = x.shape
        lower, right = indices
        left_column, right_column = x.masked_fill(right, 0), x.masked_fill(~right, 0)
        rows = torch.stack((left_column, right_column), dim=4)  # [N, C, h, w, 2]
        in_lower = lower[..., None]
        cells = torch.stack((rows.masked_fill(in_lower, 0), rows.masked_fill(~in_lower, 0)), dim=3)
        return cells.reshape(batch, channels, 2 * height, 2 * width)


@UPSAMPLINGS.register("transposed-convolution")
class TransposedConvolution(nn.ConvTranspose2d):
    """Transposed convolution whose stride divides its kernel; it starts as bilinear upsampling.

    Every new cell is then the sum over equally many cells of the map. Where the stride doesn't
    divide the kernel, some are reached more often than their neighbours, and a checkerboard of that
    period lies over the output unless the weights learn to even it out (`overlaps`).

    Args:
        channels: of the map and of what becomes of it.
        factor: how many times as high and wide the map becomes: the stride.
        kernel: a multiple of the factor, of the same parity; by default the smallest that holds
            bilinear weights: twice the factor, or three times where that is odd.

    Raises:
        ConfigError: the kernel isn't such a multiple.
    """

    def __init__(self, channels: int, factor: int, kernel: int | None = None) -> None:
        smallest = (3 if factor % 2 else 2) * checked_factor(factor)
        kernel = smallest if kernel is None else kernel
        if kernel < factor or kernel % factor or (kernel - factor) % 2:
            raise ConfigError(
                f"a transposed convolution can't have kernel {kernel} at stride {factor}: it would "
                "cover the output unevenly (a checkerboard) or not fit it; choose a multiple of "
                f"the stride that is as even or odd as it, {smallest} for instance"
            )
        super().__init__(
            channels, channels, kernel, factor, padding=(kernel - factor) // 2, bias=False
        )
        self.initialise_bilinear()

    def initialise_bilinear(self) -> None:
        """Set the weights, in place, to a bilinear upsampling of each channel by itself."""
        line = bilinear_weights(self.kernel_size[0], self.stride[0])
        same_channel = torch.eye(self.in_channels)[:, :, None, None]
        with torch.no_grad():
            self.weight.copy_(same_channel * line[:, None] * line)


@UPSAMPLINGS.register("bilinear")
class Bilinear(nn.Module):
    """Bilinear interpolation, pixel centres aligned (align_corners=False), borders repeated.

    The arguments are those of `Nearest`.
    """

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__()
        self.factor = checked_factor(factor)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, C, factor * h, factor * w]."""
        hw = [size * self.factor for size in x.shape[-2:]]
        return F.interpolate(x, size=hw, mode="bilinear", align_corners=False)


@UPSAMPLINGS.register("joint-pyramid")
def joint_pyramid(channels: int, factor: int) -> nn.Module:
    """Return a layer that makes one map of the finest size of maps from fine to coarse.

    Each map is half as high and wide as the one before and has twice its channels, as in the last
    stages of a ResNet; the result has four times the channels of the finest.

    Args:
        channels: of the finest map.
        factor: how many times as high and wide the finest map is as the coarsest; a power of two.

    Raises:
        ConfigError: the factor isn't a power of two.
    """
    from rtseg.networks.fastfcn import JointPyramidUpsampling  # which is built on encoders

    if checked_factor(factor) & (factor - 1):
        raise ConfigError(
            f"a joint pyramid can't have factor {factor}: its maps halve from one to the next; "
            "choose 2, 4 or 8"
        )
    in_channels = tuple(channels << step for step in range(factor.bit_length()))
    return JointPyramidUpsampling(in_channels, channels)


def bilinear_weights(kernel: int, factor: int) -> Tensor:
    """Return the weights [kernel] that a cell gives the new ones around it along one direction."""
    distance = (torch.arange(kernel, dtype=torch.float32) - (kernel - 1) / 2).abs()
    return (1 - distance / factor).clamp(min=0)


def overlaps(kernel: int, stride: int) -> tuple[int, ...]:
    """Return how many cells of a line reach the new cells 0, 1, … stride - 1 of a period.

    >>> overlaps(kernel=3, stride=2), overlaps(kernel=4, stride=2)
    ((2, 1), (2, 2))
    """
    return tuple(len(range(phase, kernel, stride)) for phase in range(stride))


def checked_factor(factor: int) -> int:
    """Return the factor.

    Raises:
        ConfigError: it is not 1 or more.
    """
    if factor < 1:
        raise ConfigError(f"a map can't be upsampled by {factor}; choose 2 or more")
    return factor
