"""PSPNet: averages over ever finer bins of the picture tell every pixel what surrounds it.

Zhao, Shi, Qi, Wang, Jia: "Pyramid Scene Parsing Network", CVPR 2017,
https://arxiv.org/abs/1612.01105

A ResNet of output stride 8, whose last two stages are atrous (rates 2 and 4, no multi-grid);
pyramid pooling (section 3.2, figure 3): averages over 1x1, 2x2, 3x3 and 6x6 bins, each narrowed to
a quarter of the channels by a 1x1 convolution, resized, and concatenated with the map itself; a 3x3
convolution to 512 channels, dropout 0.1 and the classifier. In training the stage before the last
has a head of its own with a weight of 0.4 (section 3.3).

Where re-implementations differ, this follows the paper: 512 channels in the 3x3 convolution behind
the pyramid. One with 1024 has 86.97 M parameters on ResNet-101, auxiliary head included; this one
has 65.6 M, and 68.0 M in training.

Departures:
- the stem is ResNet's 7x7 convolution; the authors' trunk begins with three 3x3 convolutions.
- any size: bins that don't divide a map become windows of one size that overlap (`pooling_window`);
  where they divide, they are the paper's. Maps of fewer cells than bins get a bin per cell.
- resizing aligns pixel centres, not corners.
- a variant with ResNet-18, which the paper hasn't: 512 channels before the pyramid, 128 per bin.
In training, the average of the whole map is normalised over the batch alone: a batch needs 2
pictures or more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rtseg.networks.encoders.resnet import ResNet, resnet18, resnet50, resnet101
from rtseg.networks.icnet import pooling_window
from rtseg.networks.layers import ConvBN, FCNHead, initialise, resize
from rtseg.networks.network import (
    MAIN,
    NETWORKS,
    NetworkCard,
    NetworkEntry,
    SegmentationNetwork,
    TrainingHead,
)


class PyramidPooling(nn.Module):
    """Averages over four grids of bins, a quarter of the channels each, beside the map itself."""

    BINS = (1, 2, 3, 6)

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.narrow = nn.ModuleList(ConvBN(channels, channels // 4, 1) for _ in self.BINS)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, 2 * channels, h, w]."""
        levels = [
            resize(narrow(pooled(x, bins)), x.shape[-2:])
            for narrow, bins in zip(self.narrow, self.BINS, strict=True)
        ]
        return torch.cat([x, *levels], dim=1)


def pooled(x: Tensor, bins: int) -> Tensor:
    """Return the averages [N, C, bins, bins] of `x`, fewer where it has fewer cells."""
    if bins == 1:
        return x.mean((2, 3), keepdim=True)
    (kernel_h, stride_h), (kernel_w, stride_w) = (
        pooling_window(size, bins) for size in x.shape[-2:]
    )
    return F.avg_pool2d(x, (kernel_h, kernel_w), (stride_h, stride_w))


class PSPHead(nn.Sequential):
    """Pyramid pooling, 3x3 convolution to a quarter of the channels, dropout, classifier."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__(
            PyramidPooling(in_channels),
            ConvBN(2 * in_channels, in_channels // 4),
            nn.Dropout(0.1),
            nn.Conv2d(in_channels // 4, num_classes, 1),
        )


class PSPNet(SegmentationNetwork):
    """PSPNet; logits at stride 8, of any picture size.

    Args:
        num_classes: K.
        trunk: builds the ResNet, given an output stride and a multi-grid.
    """

    min_size: ClassVar[int] = 32
    training_modules: ClassVar[tuple[str, ...]] = ("auxiliary_head",)

    def __init__(self, num_classes: int, trunk: Callable[..., ResNet] = resnet50) -> None:
        super().__init__(num_classes)
        self.encoder = trunk(8, multi_grid=(1,))
        self.head = PSPHead(self.encoder.channels[-1], num_classes)
        self.auxiliary_head = FCNHead(self.encoder.channels[-2], num_classes)
        self.heads = {MAIN: TrainingHead(1.0), "auxiliary": TrainingHead(0.4)}
        initialise(self, classifiers=(self.head[-1], self.auxiliary_head[-1]))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K, H / 8, W / 8] (rounded up) of `images` [N, 3, H, W]."""
        self.check_size(images)
        return self.head(self.encoder(images)[-1])

    def forward_train(self, images: Tensor) -> dict[str, Tensor]:
        """Return "main" and, from the stage before the last, "auxiliary", both at stride 8."""
        self.check_size(images)
        *_, before, last = self.encoder(images)
        return {MAIN: self.head(last), "auxiliary": self.auxiliary_head(before)}


def _register(trunk: Callable[..., ResNet], title: str, parameters: int, gmacs: float) -> None:
    card = NetworkCard(
        title=f"PSPNet ({title})",
        paper="Zhao, Shi, Qi, Wang, Jia: Pyramid Scene Parsing Network, CVPR 2017",
        url="https://arxiv.org/abs/1612.01105",
        structure=(
            "Atrous ResNet of output stride 8, pyramid pooling over 1, 2, 3 and 6 bins, "
            "concatenated; a 3x3 convolution to a quarter of the trunk's channels (512 with a "
            "ResNet-50 or -101; a re-implementation with 1024 has 86.97 M parameters on "
            "ResNet-101). ResNet's own 7x7 stem. Logits at stride 8."
        ),
        parameters=parameters,
        gmacs=gmacs,
    )
    name = title.lower().replace("-", "")
    NETWORKS.add(f"pspnet-{name}", NetworkEntry(partial(PSPNet, trunk=trunk), card))


_register(resnet18, "ResNet-18", 12_622_035, 423.77)
_register(resnet50, "ResNet-50", 46_591_571, 1416.20)
_register(resnet101, "ResNet-101", 65_583_699, 2036.82)
