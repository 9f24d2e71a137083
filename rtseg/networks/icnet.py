"""ICNet: three resolutions in cascade, the deeper a branch the smaller its picture.

Zhao, Qi, Shen, Shi, Jia: "ICNet for Real-Time Semantic Segmentation on High-Resolution Images",
ECCV 2018, https://arxiv.org/abs/1704.08545

This is the network that the authors released (the prototxt), which their figure 2 does not show:
- the trunk runs once, on the half-size picture, up to conv3_1; the low-resolution branch goes on
  from that map, halved bilinearly. No branch sees a quarter-size picture. The common
  re-implementations run the whole backbone on two pictures and throw most of it away.
- pyramid pooling adds its bins to the map (no concatenation, no convolutions of its own), and a
  1x1 convolution narrows the sum before the first fusion.
- width 0.5, as released: 6.7 M parameters. 1.0 doubles every layer, as before the authors pruned
  the network: the 26.5 M parameters that are often quoted together with the pruned one's cost.
- training is supervised on maps of 1/4, 1/8 and 1/16 against labels brought down to them.

Departures:
- any size: each map is resized to the size of the map it is added to. At 32k+1, as released, these
  are exactly the factors of two of the prototxt. The output stays at 1/4; the released x4 is left
  to whoever runs the network.
- pooling windows follow a rule for any map. At 33x65 it gives the prototxt's kernels and strides;
  maps of fewer than 6 cells get as many bins as they have cells.
- inputs are divided by a standard deviation too, as everywhere in this package.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from rtseg.networks.layers import ConvBN, initialise
from rtseg.networks.network import (
    MAIN,
    NETWORKS,
    NetworkCard,
    NetworkEntry,
    SegmentationNetwork,
    TrainingHead,
)


class Bottleneck(nn.Module):
    """Residual block 1x1, 3x3, 1x1; the stride lies on the first 1x1, as in Caffe's ResNet."""

    def __init__(self, in_channels: int, channels: int, stride: int = 1, rate: int = 1) -> None:
        super().__init__()
        out_channels = 4 * channels
        self.reduce = ConvBN(in_channels, channels, 1, stride=stride)
        self.conv = ConvBN(channels, channels, rate=rate)
        self.increase = ConvBN(channels, out_channels, 1, activation=None)
        self.shortcut = (
            ConvBN(in_channels, out_channels, 1, stride=stride, activation=None)
            if stride != 1 or in_channels != out_channels
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, 4 * channels, h / stride, w / stride]."""
        return F.relu(self.increase(self.conv(self.reduce(x))) + self.shortcut(x))


class PyramidPooling(nn.Module):
    """Add to a map its averages over 1x1, 2x2, 3x3 and 6x6 overlapping windows, resized to it."""

    BINS = (2, 3, 6)

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the shape of `x`."""
        total = x + x.mean((2, 3), keepdim=True)  # one bin: the resize would be a broadcast
        for bins in self.BINS:
            (kernel_h, stride_h), (kernel_w, stride_w) = (
                pooling_window(size, bins) for size in x.shape[-2:]
            )
            pooled = F.avg_pool2d(x, (kernel_h, kernel_w), (stride_h, stride_w))
            total = total + interp(pooled, x)
        return total


def pooling_window(size: int, bins: int) -> tuple[int, int]:
    """Return the kernel and the stride that cover `size` cells with `bins` windows.

    The windows have one size and reach both ends; where `bins` doesn't divide they overlap. Three
    windows advance by two strides of six, the prototxt's choice.
    """
    bins = min(bins, size)
    stride = 2 * (size // 6) if bins == 3 and size >= 6 else size // bins
    return size - (bins - 1) * stride, stride


def interp(x: Tensor, like: Tensor) -> Tensor:
    """Resize bilinearly to the height and width of `like`; corners aligned, as Caffe's Interp."""
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=True)


class CascadeFusion(nn.Module):
    """Cascade feature fusion (section 3.3): the coarse map, twice as large, meets the fine one."""

    def __init__(self, coarse_channels: int, fine_channels: int, channels: int) -> None:
        super().__init__()
        self.coarse = ConvBN(coarse_channels, channels, rate=2, activation=None)
        self.fine = ConvBN(fine_channels, channels, 1, activation=None)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Fuse `coarse`, already at the size of `fine`, with `fine`."""
        return F.relu(self.coarse(coarse) + self.fine(fine))


class ICNet(SegmentationNetwork):
    """ICNet at an output stride of 4.

    Args:
        num_classes: K.
        width: factor of all channels; at 1.0 the trunk has ResNet-50's.
    """

    min_size: ClassVar[int] = 32
    training_modules: ClassVar[tuple[str, ...]] = ("head_sub24", "head_sub4")

    def __init__(self, num_classes: int, width: float = 0.5) -> None:
        super().__init__(num_classes)
        base = round(64 * width)
        self.stem = nn.Sequential(
            ConvBN(3, base, stride=2),
            ConvBN(base, base),
            ConvBN(base, 2 * base),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.conv2 = _stage(2 * base, base, 3)
        self.conv3_1 = Bottleneck(4 * base, 2 * base, stride=2)
        self.conv3 = _stage(8 * base, 2 * base, 3)
        self.conv4 = _stage(8 * base, 4 * base, 6, rate=2)
        self.conv5 = _stage(16 * base, 8 * base, 3, rate=4)
        self.pyramid = PyramidPooling()
        self.conv5_4 = ConvBN(32 * base, 8 * base, 1)
        self.detail = nn.Sequential(
            ConvBN(3, base, stride=2),
            ConvBN(base, base, stride=2),
            ConvBN(base, 2 * base, stride=2),
        )
        self.fuse_sub24 = CascadeFusion(8 * base, 8 * base, 4 * base)
        self.fuse_sub12 = CascadeFusion(4 * base, 2 * base, 4 * base)
        self.head = nn.Conv2d(4 * base, num_classes, 1)
        self.head_sub24 = nn.Conv2d(4 * base, num_classes, 1)
        self.head_sub4 = nn.Conv2d(8 * base, num_classes, 1)
        self.heads = {
            MAIN: TrainingHead(1.0, resize="labels"),
            "sub24": TrainingHead(0.4, resize="labels"),
            "sub4": TrainingHead(0.16, resize="labels"),
        }
        initialise(self, classifiers=(self.head, self.head_sub24, self.head_sub4))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K, H/4, W/4] (rounded up) of `images` [N, 3, H, W]."""
        return self.head(self._cascade(images)[0])

    def forward_train(self, images: Tensor) -> dict[str, Tensor]:
        """Return "main" at 1/4, "sub24" at 1/8 and "sub4" at 1/16 of the pictures' size."""
        sub124, sub24, sub4 = self._cascade(images)
        return {
            MAIN: self.head(sub124),
            "sub24": self.head_sub24(sub24),
            "sub4": self.head_sub4(sub4),
        }

    def _cascade(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what the three heads read, at 1/4, 1/8 and 1/16, each one step enlarged."""
        self.check_size(images)
        conv1_sub1 = self.detail[0](images)  # [N, base, H/2, W/2]
        conv2_sub1 = self.detail[1](conv1_sub1)  # [N, base, H/4, W/4]
        conv3_sub1 = self.detail[2](conv2_sub1)  # [N, 2 base, H/8, W/8]

        half = interp(images, conv1_sub1)  # [N, 3, H/2, W/2]
        conv3_1 = self.conv3_1(self.conv2(self.stem(half)))  # [N, 8 base, H/16, W/16]
        low = F.interpolate(  # [N, 8 base, H/32, W/32]
            conv3_1, size=_halved(conv3_1), mode="bilinear", align_corners=True
        )
        conv5_3 = self.conv5(self.conv4(self.conv3(low)))  # [N, 32 base, H/32, W/32]
        sub4 = interp(self.conv5_4(self.pyramid(conv5_3)), conv3_1)  # [N, 8 base, H/16, W/16]
        sub24 = interp(self.fuse_sub24(sub4, conv3_1), conv3_sub1)  # [N, 4 base, H/8, W/8]
        sub124 = interp(self.fuse_sub12(sub24, conv3_sub1), conv2_sub1)  # [N, 4 base, H/4, W/4]
        return sub124, sub24, sub4


def _stage(in_channels: int, channels: int, blocks: int, rate: int = 1) -> nn.Sequential:
    """Return `blocks` bottlenecks of one atrous rate; all maps keep their size."""
    first = Bottleneck(in_channels, channels, rate=rate)
    rest = [Bottleneck(4 * channels, channels, rate=rate) for _ in range(blocks - 1)]
    return nn.Sequential(first, *rest)


def _halved(x: Tensor) -> tuple[int, int]:
    """Return half the height and width, rounded up, as a stride of 2 leaves them."""
    height, width = x.shape[-2:]
    return (height + 1) // 2, (width + 1) // 2


def _card(title: str, structure: str, parameters: int, gmacs: float) -> NetworkCard:
    return NetworkCard(
        title=title,
        paper=(
            "Zhao, Qi, Shen, Shi, Jia: ICNet for Real-Time Semantic Segmentation on "
            "High-Resolution Images, ECCV 2018"
        ),
        url="https://arxiv.org/abs/1704.08545",
        structure=structure,
        parameters=parameters,
        gmacs=gmacs,
    )


NETWORKS.add(
    "icnet",
    NetworkEntry(
        partial(ICNet, width=0.5),
        _card(
            "ICNet",
            "The released network: one half-width trunk on the half-size picture, pyramid pooling "
            "by addition, cascade fusion with a full-size detail branch; output at 1/4. "
            "29.8 GMACs at the authors' 1025x2049.",
            6_699_987,
            29.03,
        ),
    ),
)
NETWORKS.add(
    "icnet-full",
    NetworkEntry(
        partial(ICNet, width=1.0),
        _card(
            "ICNet (full width)",
            "The network before pruning: as icnet, with twice the channels in every layer.",
            26_734_483,
            114.35,
        ),
    ),
)
