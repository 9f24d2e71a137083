"""Squeeze and excitation of channels and pixels (scSE): maps that weigh themselves.

Roy, Navab, Wachinger: Concurrent Spatial and Channel Squeeze & Excitation in Fully Convolutional
Networks, MICCAI 2018, https://arxiv.org/abs/1803.02579. The merging by maximum is from the same
authors' Recalibrating Fully Convolutional Networks with Spatial and Channel Squeeze & Excitation
Blocks, TMI 2019, https://arxiv.org/abs/1808.08127.

Re-implementations squeeze to a sixteenth of the channels; the paper, and this file, to a half.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn

from rtseg.errors import ConfigError

Merge = Literal["add", "max"]
"""How the two excitations become one map."""
MERGES: tuple[Merge, ...] = ("add", "max")


class ChannelExcitation(nn.Module):
    """cSE: each channel times a weight in 0-1 that the means of all channels decide.

    Args:
        channels: C.
        reduction: the means are squeezed to C / reduction values.
    """

    def __init__(self, channels: int, reduction: int = 2) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, max(channels // reduction, 1), 1)
        self.gate = nn.Conv2d(self.squeeze.out_channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the shape of `x` [N, C, h, w]."""
        means = x.mean((2, 3), keepdim=True)  # [N, C, 1, 1]
        return x * torch.sigmoid(self.gate(torch.relu(self.squeeze(means))))


class SpatialExcitation(nn.Module):
    """sSE: each pixel times a weight in 0-1 that its own channels decide."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Conv2d(channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the shape of `x` [N, C, h, w]."""
        return x * torch.sigmoid(self.gate(x))


class ConcurrentExcitation(nn.Module):
    """scSE: both excitations side by side, added or the larger of the two.

    With gates that start at one half, as `excitation_gates` is for, the sum starts as the map
    itself and the maximum as half of it.

    Args:
        channels: C.
        reduction: see `ChannelExcitation`.
        merge: ``"add"`` (2018) or ``"max"`` (2019), element by element.

    Raises:
        ConfigError: `merge` is neither.
    """

    def __init__(self, channels: int, reduction: int = 2, merge: Merge = "add") -> None:
        super().__init__()
        if merge not in MERGES:
            raise ConfigError(f"scSE can't merge by {merge!r}; choose one of {', '.join(MERGES)}")
        self.channel = ChannelExcitation(channels, reduction)
        self.spatial = SpatialExcitation(channels)
        self.merge = merge

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the shape of `x` [N, C, h, w]."""
        by_channel, by_pixel = self.channel(x), self.spatial(x)
        if self.merge == "max":
            return torch.maximum(by_channel, by_pixel)
        return by_channel + by_pixel


def excitation_gates(network: nn.Module) -> Iterator[nn.Module]:
    """Yield the layers before each sigmoid, for `initialise` to start them near one half."""
    for module in network.modules():
        if isinstance(module, ChannelExcitation | SpatialExcitation):
            yield module.gate
