"""FRRN: a stream at full resolution that carries details, and one that pools for context.

Pohlen, Hermans, Mathias, Leibe: Full-Resolution Residual Networks for Semantic Segmentation in
Street Scenes, CVPR 2017, https://arxiv.org/abs/1611.08323.

The structure is that of Table 1 and of the authors' code. A popular re-implementation (16.6 M and
23.6 M parameters instead of 17.7 M and 24.8 M) gives every unit of a stage the pooled map that the
stage began with, so that only the last one's map goes on; has 48 instead of 96 channels in the last
stage; and joins the streams by a 1x1 convolution before the last residual units instead of within
the first of them.

Departures: A's coarsest map is at a sixteenth, but both variants take multiples of 32; the
pooling stream is upsampled with its pixel centres aligned; every convolution is drawn for a ReLU
behind it (the authors: with a gain of 1 where none follows), and the last one with small weights,
so that the first loss is near log(K).
"""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rtseg.networks.layers import ConvBN, initialise_fan_in, resize
from rtseg.networks.network import NETWORKS, NetworkCard, NetworkEntry, SegmentationNetwork
from rtseg.networks.upsampling import Nearest

BASE_CHANNELS = 48
LANES = 32
"""Channels of the residual stream."""


class Level(NamedTuple):
    """Some units at one resolution: how many, the channels of the pooling stream, the stride."""

    units: int
    channels: int
    stride: int


A = (
    Level(3, 96, 2), Level(4, 192, 4), Level(2, 384, 8), Level(2, 384, 16),
    Level(2, 192, 8), Level(2, 192, 4), Level(2, 96, 2),
)  # fmt: skip
B = (*A[:4], Level(2, 384, 32), Level(2, 192, 16), *A[4:])


class ResidualUnit(nn.Module):
    """RU: two 3x3 convolutions beside a shortcut, without a ReLU at the end."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.conv1 = ConvBN(in_channels, channels)
        self.conv2 = ConvBN(channels, channels, activation=None)
        self.shortcut = (
            nn.Identity()
            if in_channels == channels
            else nn.Conv2d(in_channels, channels, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, channels, h, w]."""
        return self.conv2(self.conv1(x)) + self.shortcut(x)


class FullResolutionResidualUnit(nn.Module):
    """FRRU (Figure 3): reads both streams, moves the pooling one on, adds to the residual one.

    Args:
        in_channels: of the pooling stream before the unit.
        channels: of the pooling stream behind it.
        stride: of the pooling stream.
    """

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv1 = ConvBN(in_channels + LANES, channels)
        self.conv2 = ConvBN(channels, channels)
        self.residual = nn.Conv2d(channels, LANES, 1)
        self.unpool = Nearest(LANES, stride)

    def forward(self, pooled: Tensor, lanes: Tensor) -> tuple[Tensor, Tensor]:
        """Return both streams: [N, channels, H / stride, W / stride] and [N, 32, H, W]."""
        seen = F.max_pool2d(lanes, self.stride, self.stride)
        pooled = self.conv2(self.conv1(torch.cat((pooled, seen), 1)))
        return pooled, lanes + self.unpool(self.residual(pooled))


class FRRN(SegmentationNetwork):
    """FRRN; logits at full resolution.

    Args:
        num_classes: K.
        levels: the resolutions that the pooling stream goes through, each half or twice the one
            before.
    """

    size_multiple: ClassVar[int] = 32

    def __init__(self, num_classes: int, levels: tuple[Level, ...] = A) -> None:
        super().__init__(num_classes)
        base = BASE_CHANNELS
        self.first = nn.Sequential(
            ConvBN(3, base, 5), *(ResidualUnit(base, base) for _ in range(3))
        )
        self.split = ConvBN(base, LANES, 1, activation=None)
        inputs = (base, *(level.channels for level in levels))
        self.levels = nn.ModuleList(
            nn.ModuleList(
                FullResolutionResidualUnit(channels if index else before, channels, stride)
                for index in range(units)
            )
            for before, (units, channels, stride) in zip(inputs, levels, strict=False)
        )
        self.last = nn.Sequential(
            ResidualUnit(levels[-1].channels + LANES, base),
            *(ResidualUnit(base, base) for _ in range(2)),
        )
        self.classifier = nn.Conv2d(base, num_classes, 1)
        self._strides = tuple(level.stride for level in levels)
        initialise_fan_in(self, classifiers=(self.classifier,), uniform=True)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K, H, W]."""
        self.check_size(images)
        pooled = self.first(images)  # [N, 48, H, W]
        lanes = self.split(pooled)  # [N, 32, H, W]
        before = chain((1,), self._strides)
        for units, stride, stride_before in zip(self.levels, self._strides, before, strict=False):
            pooled = _at_stride(pooled, stride_before, stride)
            for unit in units.children():
                pooled, lanes = unit(pooled, lanes)
        pooled = _at_stride(pooled, self._strides[-1], 1)
        return self.classifier(self.last(torch.cat((pooled, lanes), 1)))


def _at_stride(x: Tensor, before: int, stride: int) -> Tensor:
    """Pool a map by two, or double its size, whichever leads from one stride to the other."""
    if stride > before:
        return F.max_pool2d(x, 2, 2)
    return resize(x, [2 * size for size in x.shape[-2:]])


def _register(letter: str, levels: tuple[Level, ...], parameters: int, gmacs: float) -> None:
    card = NetworkCard(
        title=f"FRRN {letter}",
        paper=(
            "Pohlen, Hermans, Mathias, Leibe: Full-Resolution Residual Networks for Semantic "
            "Segmentation in Street Scenes, CVPR 2017"
        ),
        url="https://arxiv.org/abs/1611.08323",
        structure=(
            f"A stream of 32 channels at full resolution beside one that pools to a "
            f"{'sixteenth' if letter == 'A' else 'thirty-second'}. The paper's structure and its "
            f"{'17.7' if letter == 'A' else '24.8'} M parameters; a re-implementation with "
            f"{'16.6' if letter == 'A' else '23.6'} M passes on only the last unit's map of each "
            f"stage and ends with 48 channels instead of 96. Logits at full resolution."
        ),
        parameters=parameters,
        gmacs=gmacs,
    )
    NETWORKS.add(f"frrn-{letter.lower()}", NetworkEntry(partial(FRRN, levels=levels), card))


_register("A", A, 17_746_803, 1969.58)
_register("B", B, 24_755_699, 1984.68)
