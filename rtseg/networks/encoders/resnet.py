"""ResNet-18, -34, -50 and -101 as encoders.

He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016,
https://arxiv.org/abs/1512.03385. As in nearly every later implementation the bottleneck has its
stride in the 3x3 convolution, where the paper has it in the first 1x1. Atrous rates and the
multi-grid of the last stage follow DeepLabV3 (https://arxiv.org/abs/1706.05587, section 3). The
names of the parameters are those of torchvision's networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice
from typing import ClassVar

from torch import Tensor, nn

from rtseg.networks.encoders.encoder import Encoder, StrideBudget

MULTI_GRID = (1, 2, 4)
"""Factors of the atrous rate in the blocks of the last stage (DeepLabV3, section 3.3)."""


def _conv3x3(in_channels: int, out_channels: int, stride: int, rate: int) -> nn.Conv2d:
    return nn.Conv2d(
        in_channels, out_channels, 3, stride=stride, padding=rate, dilation=rate, bias=False
    )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, each with its atrous rate, and a shortcut."""

    expansion: ClassVar[int] = 1

    def __init__(self, in_channels: int, width: int, stride: int, rates: Sequence[int]) -> None:
        super().__init__()
        self.conv1 = _conv3x3(in_channels, width, stride, rates[0])
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width, 1, rates[1])
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, width, h / stride, w / stride]."""
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution and a shortcut; the output is four times the width.

    Only the first rate is used: there is no 3x3 convolution behind the one with the stride.
    """

    expansion: ClassVar[int] = 4

    def __init__(self, in_channels: int, width: int, stride: int, rates: Sequence[int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width, stride, rates[0])
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, width * self.expansion, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, 4 * width, h / stride, w / stride]."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        return self.relu(self.bn3(self.conv3(y)) + self.downsample(x))


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    conv = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels))


def _layout(budget: StrideBudget, depth: int, stride: int) -> list[tuple[int, tuple[int, int]]]:
    """Return each block's stride and the rates of its convolutions with and behind the stride."""
    layout = []
    for index in range(depth):
        own_stride, rate = budget.spend(1 if index else stride)
        layout.append((own_stride, (rate, budget.rate)))
    return layout


class ResNet(Encoder):
    """A residual network; its maps are the pooled stem and the four stages.

    Args:
        block: the residual block.
        depths: how many blocks each of the four stages has.
        output_stride: see `Encoder`.
        multi_grid: factors of the atrous rate in the blocks of the last stage; a stage of fewer
            blocks takes the first ones, one of more starts over. Only used where the last stage is
            atrous.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: Sequence[int],
        output_stride: int = 32,
        multi_grid: Sequence[int] = MULTI_GRID,
    ) -> None:
        super().__init__(output_stride)
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        budget = StrideBudget(output_stride)
        for _ in (self.conv1, self.maxpool):
            budget.spend(2)
        channels, strides = [64], [budget.stride]
        for stage, depth in enumerate(depths):
            layout = _layout(budget, depth, 2 if stage else 1)
            if stage == 3 and budget.rate > 1:
                layout = [
                    (1, (budget.rate * grid,) * 2) for grid in islice(cycle(multi_grid), depth)
                ]
            width = 64 << stage
            inputs = (channels[-1], *(width * block.expansion,) * (depth - 1))
            blocks = (block(each, width, *of) for each, of in zip(inputs, layout, strict=True))
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
            channels.append(width * block.expansion)
            strides.append(budget.stride)
        self.channels, self.strides = tuple(channels), tuple(strides)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the pooled stem and the outputs of stages 1 to 4."""
        return self.stages(self.stem(images))

    def stem(self, images: Tensor) -> Tensor:
        """Return the stem's map [N, 64, ceil(H / 2), ceil(W / 2)] before it is pooled."""
        return self.relu(self.bn1(self.conv1(images)))

    def stages(self, stem: Tensor) -> list[Tensor]:
        """Return what `forward` returns, given the stem's map."""
        maps = [self.maxpool(stem)]
        for number in range(1, 5):
            maps.append(self.get_submodule(f"layer{number}")(maps[-1]))
        return maps


def resnet18(output_stride: int = 32, multi_grid: Sequence[int] = MULTI_GRID) -> ResNet:
    """Return ResNet-18: 11.2 M parameters."""
    return ResNet(BasicBlock, (2, 2, 2, 2), output_stride, multi_grid)


def resnet34(output_stride: int = 32, multi_grid: Sequence[int] = MULTI_GRID) -> ResNet:
    """Return ResNet-34: 21.3 M parameters."""
    return ResNet(BasicBlock, (3, 4, 6, 3), output_stride, multi_grid)


def resnet50(output_stride: int = 32, multi_grid: Sequence[int] = MULTI_GRID) -> ResNet:
    """Return ResNet-50: 23.5 M parameters."""
    return ResNet(Bottleneck, (3, 4, 6, 3), output_stride, multi_grid)


def resnet101(output_stride: int = 32, multi_grid: Sequence[int] = MULTI_GRID) -> ResNet:
    """Return ResNet-101: 42.5 M parameters."""
    return ResNet(Bottleneck, (3, 4, 23, 3), output_stride, multi_grid)
