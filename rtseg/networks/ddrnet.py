"""DDRNet: a high-resolution and a context branch that exchange their maps twice.

Hong, Pan, Sun, Jia: "Deep Dual-resolution Networks for Real-time and Accurate Semantic
Segmentation of Road Scenes", 2021 (IEEE T-ITS 2022), https://arxiv.org/abs/2101.06085

Both branches share the layers up to 1/8. One stays there, the other goes down to 1/64; after
stages 3 and 4 each adds the other's map, resized, to its own (bilateral fusion, section III-B).
DAPPM (section III-C) gathers context at 1/64, and the sum of both branches is classified.

Departures from the authors' code: maps are resized to the size of the map that they meet, so that
any size works; the two convolutions of the stem have no bias, which their batch normalisation
would cancel; the class layers start with small weights.
In training, DAPPM normalises one value per channel and picture: a batch needs 2 pictures or more.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rtseg.networks.layers import ConvBN, initialise, resize
from rtseg.networks.network import (
    MAIN,
    NETWORKS,
    NetworkCard,
    NetworkEntry,
    SegmentationNetwork,
    TrainingHead,
)


class BNConv(nn.Module):
    """Batch normalisation, ReLU, then a convolution without bias."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, out, h, w]."""
        return self.conv(F.relu(self.norm(x)))


class BasicBlock(nn.Module):
    """Residual block of two 3x3 convolutions, without a ReLU at its end."""

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = ConvBN(in_channels, channels, stride=stride)
        self.conv2 = ConvBN(channels, channels, activation=None)
        self.shortcut = _shortcut(in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, channels, h / stride, w / stride], before its ReLU."""
        return self.conv2(self.conv1(x)) + self.shortcut(x)


class Bottleneck(nn.Module):
    """Residual block 1x1, 3x3, 1x1 to twice the channels, without a ReLU at its end."""

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.reduce = ConvBN(in_channels, channels, 1)
        self.conv = ConvBN(channels, channels, stride=stride)
        self.increase = ConvBN(channels, 2 * channels, 1, activation=None)
        self.shortcut = _shortcut(in_channels, 2 * channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, 2 * channels, h / stride, w / stride], before its ReLU."""
        return self.increase(self.conv(self.reduce(x))) + self.shortcut(x)


class DAPPM(nn.Module):
    """Deep aggregation pyramid pooling (section III-C): five scales, each refined by the last."""

    POOLS = ((5, 2), (9, 4), (17, 8))
    """Kernel and stride of the pooled scales between the map itself and its mean."""

    def __init__(self, in_channels: int, channels: int, out_channels: int) -> None:
        super().__init__()
        num_scales = len(self.POOLS) + 2
        self.scales = nn.ModuleList(BNConv(in_channels, channels, 1) for _ in range(num_scales))
        self.refine = nn.ModuleList(BNConv(channels, channels, 3) for _ in range(num_scales - 1))
        self.compress = BNConv(num_scales * channels, out_channels, 1)
        self.shortcut = BNConv(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, out, h, w]."""
        pooled = [F.avg_pool2d(x, kernel, stride, kernel // 2) for kernel, stride in self.POOLS]
        pooled.append(x.mean((2, 3), keepdim=True))
        maps = [self.scales[0](x)]
        for scale, refine, level in zip(self.scales[1:], self.refine, pooled, strict=True):
            maps.append(refine(resize(scale(level), x.shape[-2:]) + maps[-1]))
        return self.compress(torch.cat(maps, 1)) + self.shortcut(x)


class Head(nn.Module):
    """Normalise, 3x3 convolution, normalise, 1x1 convolution to the classes."""

    def __init__(self, in_channels: int, channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv = BNConv(in_channels, channels, 3)
        self.norm = nn.BatchNorm2d(channels)
        self.classify = nn.Conv2d(channels, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [N, K, h, w]."""
        return self.classify(F.relu(self.norm(self.conv(x))))


class DDRNet(SegmentationNetwork):
    """DDRNet-23 at an output stride of 8.

    Args:
        num_classes: K.
        width: channels of the stem; the high-resolution branch has twice as many.
        pyramid: channels of each scale of DAPPM.
        head: channels inside the heads.
    """

    min_size: ClassVar[int] = 32
    training_modules: ClassVar[tuple[str, ...]] = ("head_detail",)

    def __init__(
        self, num_classes: int, width: int = 32, pyramid: int = 128, head: int = 64
    ) -> None:
        super().__init__(num_classes)
        high = 2 * width
        self.stem = nn.Sequential(ConvBN(3, width, stride=2), ConvBN(width, width, stride=2))
        self.layer1 = _stage(width, width, 2)
        self.layer2 = _stage(width, high, 2, stride=2)
        self.low3 = _stage(high, 4 * width, 2, stride=2)
        self.low4 = _stage(4 * width, 8 * width, 2, stride=2)
        self.low5 = Bottleneck(8 * width, 8 * width, stride=2)
        self.high3 = _stage(high, high, 2)
        self.high4 = _stage(high, high, 2)
        self.high5 = Bottleneck(high, high)
        self.compress3 = ConvBN(4 * width, high, 1, activation=None)
        self.compress4 = ConvBN(8 * width, high, 1, activation=None)
        self.down3 = ConvBN(high, 4 * width, stride=2, activation=None)
        self.down4 = nn.Sequential(
            ConvBN(high, 4 * width, stride=2),
            ConvBN(4 * width, 8 * width, stride=2, activation=None),
        )
        self.context = DAPPM(16 * width, pyramid, 4 * width)
        self.head = Head(4 * width, head, num_classes)
        self.head_detail = Head(high, head, num_classes)
        self.heads = {MAIN: TrainingHead(1.0), "detail": TrainingHead(0.4)}
        initialise(self, classifiers=(self.head.classify, self.head_detail.classify))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K, H/8, W/8] (rounded up) of `images` [N, 3, H, W]."""
        return self.head(self._features(images)[0])

    def forward_train(self, images: Tensor) -> dict[str, Tensor]:
        """Return "main" and "detail" (the high-resolution branch after stage 3), both at 1/8."""
        features, high = self._features(images)
        return {MAIN: self.head(features), "detail": self.head_detail(high)}

    def _features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the main head reads and the high-resolution map after stage 3, at 1/8."""
        self.check_size(images)
        shared = F.relu(self.layer2(F.relu(self.layer1(self.stem(images)))))  # [N, 2w, H/8, W/8]
        high = self.high3(shared)
        low = self.low3(shared)  # [N, 4w, H/16, W/16]
        high, low = (
            high + resize(self.compress3(F.relu(low)), high.shape[-2:]),
            low + self.down3(F.relu(high)),
        )
        detail = high
        high = self.high4(F.relu(high))
        low = self.low4(F.relu(low))  # [N, 8w, H/32, W/32]
        high, low = (
            high + resize(self.compress4(F.relu(low)), high.shape[-2:]),
            low + self.down4(F.relu(high)),
        )
        high = self.high5(F.relu(high))  # [N, 4w, H/8, W/8]
        low = self.context(self.low5(F.relu(low)))  # [N, 4w, H/64, W/64]
        return high + resize(low, high.shape[-2:]), detail


def _stage(in_channels: int, channels: int, blocks: int, stride: int = 1) -> nn.Sequential:
    """Return basic blocks with ReLUs between them and none at the end."""
    layers: list[nn.Module] = [BasicBlock(in_channels, channels, stride)]
    for _ in range(blocks - 1):
        layers += [nn.ReLU(), BasicBlock(channels, channels)]
    return nn.Sequential(*layers)


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return ConvBN(in_channels, out_channels, 1, stride=stride, activation=None)


NETWORKS.add(
    "ddrnet-23-slim",
    NetworkEntry(
        partial(DDRNet, width=32, pyramid=128, head=64),
        NetworkCard(
            title="DDRNet-23-slim",
            paper=(
                "Hong, Pan, Sun, Jia: Deep Dual-resolution Networks for Real-time and Accurate "
                "Semantic Segmentation of Road Scenes, 2021"
            ),
            url="https://arxiv.org/abs/2101.06085",
            structure=(
                "Two branches at 1/8 and down to 1/64 with bilateral fusion, DAPPM context; the "
                "authors' structure, with maps resized to each other so that any size works."
            ),
            parameters=5_695_923,
            gmacs=36.28,
        ),
    ),
)
