"""DANet: every pixel attends to every pixel, every channel to every channel.

Fu, Liu, Tian, Li, Bao, Fang, Lu: "Dual Attention Network for Scene Segmentation", CVPR 2019,
https://arxiv.org/abs/1809.02983

A ResNet of output stride 8 with the multi-grid 4, 8, 16 in its last stage. Behind it two branches
of a quarter of its channels: 3x3 convolution, attention, 3x3 convolution. Position attention
(section 3.2) compares pixels by queries and keys of C/8 channels; channel attention (section 3.3)
compares whole channels and has no convolutions of its own. Both outputs are added and classified
(section 3.4); in training each is classified by itself, too.

Where re-implementations differ, this follows the authors' code: the softmax of the channel
attention runs over the largest entry of a row minus the entry, so that unlike channels attend to
each other; batch normalisation and ReLU behind all four 3x3 convolutions; three classifiers, each
behind a dropout of 0.1, of which the sum's alone is deployed.

Departures:
- the paper starts the weights of both attentions, alpha and beta, at 0. The queries, keys and
  values then get no gradient in the first step; here they start at 0.01.
- the keys have no bias: it adds one value to a whole row of scores, which the softmax cancels.
- the stem is ResNet's 7x7 convolution, where the authors' trunk begins with three 3x3.
- in half precision the scores of channels are computed in float32: sums over all pixels, they pass
  the largest float16.
- a variant with ResNet-18, which the paper hasn't: branches of 128 channels.

Cost: the scores of positions grow with the square of the picture's area: (H W / 64)^2 of them.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from rtseg.networks.encoders import ENCODERS
from rtseg.networks.layers import ConvBN, initialise
from rtseg.networks.network import (
    MAIN,
    NETWORKS,
    NetworkCard,
    NetworkEntry,
    SegmentationNetwork,
    TrainingHead,
)

FIRST_WEIGHT = 0.01
"""What alpha and beta start at."""

HALF = (torch.float16, torch.bfloat16)


class PositionAttention(nn.Module):
    """Adds to each pixel the values of all pixels, weighed by how their keys suit its query."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 8, 1)
        self.key = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.value = nn.Conv2d(channels, channels, 1)
        self.alpha = nn.Parameter(torch.full((1,), FIRST_WEIGHT))

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the shape of `x`, [N, C, h, w]."""
        query = self.query(x).flatten(2)  # [N, C / 8, h * w]
        key = self.key(x).flatten(2)
        value = self.value(x).flatten(2)  # [N, C, h * w]
        attention = torch.softmax(query.transpose(1, 2) @ key, dim=-1)  # [N, h * w, h * w]
        attended = value @ attention.transpose(1, 2)
        return self.alpha * attended.reshape(x.shape) + x


class ChannelAttention(nn.Module):
    """Adds to each channel all channels, weighed by how little they resemble it."""

    def __init__(self) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.full((1,), FIRST_WEIGHT))

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the shape of `x`, [N, C, h, w]."""
        channels = x.flatten(2)  # [N, C, h * w]
        wide = channels.float() if channels.dtype in HALF else channels
        scores = wide @ wide.transpose(1, 2)  # [N, C, C]
        attention = torch.softmax(scores.amax(-1, keepdim=True) - scores, dim=-1)
        attended = attention.to(channels.dtype) @ channels
        return self.beta * attended.reshape(x.shape) + x


class Branch(nn.Sequential):
    """3x3 convolution to `channels`, attention, 3x3 convolution."""

    def __init__(self, in_channels: int, channels: int, attention: nn.Module) -> None:
        super().__init__(ConvBN(in_channels, channels), attention, ConvBN(channels, channels))


class Classifier(nn.Sequential):
    """Dropout and a 1x1 convolution to the classes."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__(nn.Dropout(0.1), nn.Conv2d(channels, num_classes, 1))


class DANet(SegmentationNetwork):
    """DANet; logits at stride 8, of any picture size.

    Args:
        num_classes: K.
        encoder: a name in `ENCODERS`.
    """

    min_size: ClassVar[int] = 32
    training_modules: ClassVar[tuple[str, ...]] = ("position_head", "channel_head")

    def __init__(self, num_classes: int, encoder: str = "resnet50") -> None:
        super().__init__(num_classes)
        self.encoder = ENCODERS[encoder](8)
        inputs = self.encoder.channels[-1]
        channels = inputs // 4
        self.position = Branch(inputs, channels, PositionAttention(channels))
        self.channel = Branch(inputs, channels, ChannelAttention())
        self.head = Classifier(channels, num_classes)
        self.position_head = Classifier(channels, num_classes)
        self.channel_head = Classifier(channels, num_classes)
        self.heads = {name: TrainingHead(1.0) for name in (MAIN, "position", "channel")}
        last = (self.head[-1], self.position_head[-1], self.channel_head[-1])
        initialise(self, classifiers=last)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K, H / 8, W / 8] (rounded up) of `images` [N, 3, H, W]."""
        position, channel = self._attended(images)
        return self.head(position + channel)

    def forward_train(self, images: Tensor) -> dict[str, Tensor]:
        """Return "main", "position" and "channel", all at stride 8."""
        position, channel = self._attended(images)
        return {
            MAIN: self.head(position + channel),
            "position": self.position_head(position),
            "channel": self.channel_head(channel),
        }

    def _attended(self, images: Tensor) -> tuple[Tensor, Tensor]:
        self.check_size(images)
        last = self.encoder(images)[-1]
        return self.position(last), self.channel(last)


def _register(encoder: str, title: str, parameters: int, gmacs: float) -> None:
    card = NetworkCard(
        title=f"DANet ({title})",
        paper="Fu, Liu, Tian, Li, Bao, Fang, Lu: Dual Attention Network for Scene Segmentation, "
        "CVPR 2019",
        url="https://arxiv.org/abs/1809.02983",
        structure=(
            "Atrous ResNet of output stride 8 with multi-grid, position and channel attention "
            "side by side, added. Alpha and beta start at 0.01 instead of 0, so that the "
            "projections learn from the first step; keys without a bias, which the softmax "
            "would cancel. Logits at stride 8."
        ),
        parameters=parameters,
        gmacs=gmacs,
    )
    NETWORKS.add(f"danet-{encoder}", NetworkEntry(partial(DANet, encoder=encoder), card))


_register("resnet18", "ResNet-18", 12_675_173, 589.80)
_register("resnet50", "ResNet-50", 47_443_093, 2217.16)
_register("resnet101", "ResNet-101", 66_435_221, 2837.78)
