"""FastFCN: a trunk without atrous convolutions, whose last three maps make one of stride 8.

Wu, Zhang, Huang, Liang, Yu: "FastFCN: Rethinking Dilated Convolution in the Backbone for Semantic
Segmentation", 2019, https://arxiv.org/abs/1903.11816

Joint pyramid upsampling (section 3.3, figure 4) imitates the map of an atrous trunk: the maps of
strides 8, 16 and 32 go through a 3x3 convolution to 512 channels each, are brought to stride 8 and
concatenated, and four separable convolutions of rates 1, 2, 4 and 8 read the result side by side.
What follows is a head that was made for an atrous trunk. The paper tries three, all of them here:
- "encoding", its best: the context encoding of Zhang, Dana, Shi, Zhang, Wang, Tyagi, Agrawal:
  "Context Encoding for Semantic Segmentation", CVPR 2018, https://arxiv.org/abs/1803.08904.
- "psp": PSPNet's pyramid pooling. "aspp": DeepLabV3's atrous pyramid, with plain 3x3 convolutions.
In training the map of stride 16 has a head of its own with a weight of 0.2.

As in the authors' code, the separable convolutions have batch normalisation behind both halves and
a ReLU behind the second alone, and with the encoding head a 1x1 convolution reads the joint map.

Departures:
- the encoding head is trained without its second task, to name the classes in the picture.
- the encoding averages over the pixels, where the paper adds them up: the batch normalisation
  behind it takes the factor, and pictures of other sizes than those of the training suit it.
- in half precision the encoding is computed in float32: it sums over all pixels.
- the trunk's stem is ResNet's 7x7 convolution. Resizing aligns pixel centres, not corners.
- a variant with ResNet-18, which the paper hasn't: a quarter of all channels behind the trunk.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from rtseg.networks.deeplab import ASPP, RATES
from rtseg.networks.encoders import ENCODERS
from rtseg.networks.layers import ConvBN, FCNHead, initialise, resize
from rtseg.networks.network import (
    MAIN,
    NETWORKS,
    NetworkCard,
    NetworkEntry,
    SegmentationNetwork,
    TrainingHead,
)
from rtseg.networks.pspnet import PSPHead


class JointPyramidUpsampling(nn.Module):
    """Makes one map of the finest size of maps from fine to coarse.

    Args:
        in_channels: channels of the maps.
        width: channels that every map is brought to; the result has four times as many.
    """

    RATES = (1, 2, 4, 8)

    def __init__(self, in_channels: tuple[int, ...], width: int = 512) -> None:
        super().__init__()
        joint = len(in_channels) * width
        self.narrow = nn.ModuleList(ConvBN(each, width) for each in in_channels)
        self.atrous = nn.ModuleList(_separable(joint, width, rate) for rate in self.RATES)
        self.out_channels = len(self.RATES) * width

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return [N, 4 * width, h, w] of maps [N, C, h, w], [N, C', h / 2, w / 2], …."""
        hw = maps[0].shape[-2:]
        same = [narrow(each) for narrow, each in zip(self.narrow, maps, strict=True)]
        joint = torch.cat([same[0], *(resize(each, hw) for each in same[1:])], dim=1)
        return torch.cat([conv(joint) for conv in self.atrous], dim=1)


def _separable(in_channels: int, out_channels: int, rate: int) -> nn.Sequential:
    depthwise = ConvBN(in_channels, in_channels, rate=rate, groups=in_channels, activation=None)
    return nn.Sequential(depthwise, ConvBN(in_channels, out_channels, 1))


class ContextEncoding(nn.Module):
    """Mean residuals of all pixels to learned codewords, each pixel shared out among them.

    Args:
        channels: channels of the map, D.
        num_codewords: K.
    """

    def __init__(self, channels: int, num_codewords: int = 32) -> None:
        super().__init__()
        bound = (num_codewords * channels) ** -0.5
        codewords = torch.empty(num_codewords, channels).uniform_(-bound, bound)
        self.codewords = nn.Parameter(codewords)  # [K, D]
        self.smoothing = nn.Parameter(torch.empty(num_codewords).uniform_(-1, 0))  # minus s, [K]

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, K, D] of a map [N, D, h, w] (sections 3.1 and 3.2 of the encoding's paper)."""
        pixels = x.flatten(2).transpose(1, 2)  # [N, h * w, D]
        codewords: Tensor = self.codewords
        smoothing: Tensor = self.smoothing
        if x.dtype in (torch.float16, torch.bfloat16):
            pixels, codewords, smoothing = pixels.float(), codewords.float(), smoothing.float()
        distance = (  # |x - c|^2 without a tensor of N * h * w * K * D residuals
            pixels.square().sum(-1, keepdim=True)
            - 2 * (pixels @ codewords.T)
            + codewords.square().sum(-1)
        )
        share = torch.softmax(smoothing * distance, dim=-1)  # [N, h * w, K]
        count = share.sum(1)[..., None]  # [N, K, 1]
        residuals = share.transpose(1, 2) @ pixels - count * codewords
        return (residuals / pixels.shape[1]).to(x.dtype)


class EncodingHead(nn.Module):
    """Scales every channel by what the encoding of the whole picture says of it, then classifies.

    Args:
        in_channels: channels of the map; inside it is a quarter of them.
        num_classes: K.
    """

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        channels, num_codewords = in_channels // 4, 32
        self.reduce = ConvBN(in_channels, channels, 1)
        self.project = ConvBN(channels, channels, 1)
        self.encoding = ContextEncoding(channels, num_codewords)
        self.norm = nn.BatchNorm1d(num_codewords)
        self.scale = nn.Linear(channels, channels)
        self.dropout = nn.Dropout(0.1)
        self.classifier = nn.Conv2d(channels, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [N, K, h, w]."""
        x = self.reduce(x)  # [N, D, h, w]
        codes = torch.relu(self.norm(self.encoding(self.project(x))))  # [N, 32, D]
        scale = torch.sigmoid(self.scale(codes.mean(1)))[..., None, None]  # [N, D, 1, 1]
        return self.classifier(self.dropout(torch.relu(x + x * scale)))


class ASPPHead(nn.Sequential):
    """DeepLabV3's atrous pyramid for stride 8 and the classifier."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__(
            ASPP(in_channels, RATES[8], separable=False), nn.Conv2d(256, num_classes, 1)
        )


HEADS: dict[str, Callable[[int, int], nn.Module]] = {
    "encoding": EncodingHead,
    "psp": PSPHead,
    "aspp": ASPPHead,
}
"""What reads the joint map, by name; built from the map's channels and the classes."""


class FastFCN(SegmentationNetwork):
    """FastFCN; logits at stride 8, of any picture size.

    Args:
        num_classes: K.
        encoder: a name in `ENCODERS`.
        head: a name in `HEADS`.
    """

    min_size: ClassVar[int] = 32
    training_modules: ClassVar[tuple[str, ...]] = ("auxiliary_head",)

    def __init__(self, num_classes: int, encoder: str = "resnet50", head: str = "encoding") -> None:
        super().__init__(num_classes)
        self.encoder = ENCODERS[encoder](32)
        channels = self.encoder.channels[-3:]  # of strides 8, 16 and 32
        self.upsampling = JointPyramidUpsampling(channels, channels[-1] // 4)
        self.head = HEADS[head](self.upsampling.out_channels, num_classes)
        self.auxiliary_head = FCNHead(channels[-2], num_classes)
        self.heads = {MAIN: TrainingHead(1.0), "auxiliary": TrainingHead(0.2)}
        initialise(self, classifiers=(list(self.head.children())[-1], self.auxiliary_head[-1]))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K, H / 8, W / 8] (rounded up) of `images` [N, 3, H, W]."""
        self.check_size(images)
        return self.head(self.upsampling(self.encoder(images)[-3:]))

    def forward_train(self, images: Tensor) -> dict[str, Tensor]:
        """Return "main" at stride 8 and "auxiliary" at stride 16."""
        self.check_size(images)
        maps = self.encoder(images)[-3:]
        return {
            MAIN: self.head(self.upsampling(maps)),
            "auxiliary": self.auxiliary_head(maps[-2]),
        }


DESCRIPTIONS = {
    "encoding": "context encoding with 32 codewords, averaged over the pixels and without the "
    "paper's second task of naming the classes in the picture",
    "psp": "PSPNet's pyramid pooling",
    "aspp": "DeepLabV3's atrous pyramid with rates 12, 24 and 36",
}


def _register(encoder: str, title: str, head: str, parameters: int, gmacs: float) -> None:
    card = NetworkCard(
        title=f"FastFCN ({title}, {head})",
        paper="Wu, Zhang, Huang, Liang, Yu: FastFCN: Rethinking Dilated Convolution in the "
        "Backbone for Semantic Segmentation, 2019",
        url="https://arxiv.org/abs/1903.11816",
        structure=(
            "ResNet without atrous convolutions; joint pyramid upsampling of strides 8, 16 and 32; "
            f"head: {DESCRIPTIONS[head]}. Logits at stride 8."
        ),
        parameters=parameters,
        gmacs=gmacs,
    )
    name = f"fastfcn-{encoder}" if head == "encoding" else f"fastfcn-{head}-{encoder}"
    NETWORKS.add(name, NetworkEntry(partial(FastFCN, encoder=encoder, head=head), card))


_register("resnet18", "ResNet-18", "encoding", 12_529_587, 94.18)
_register("resnet50", "ResNet-50", "encoding", 44_845_235, 455.35)
_register("resnet101", "ResNet-101", "encoding", 63_837_363, 610.51)
_register("resnet50", "ResNet-50", "psp", 66_327_123, 1029.85)
_register("resnet50", "ResNet-50", "aspp", 58_783_571, 902.94)
