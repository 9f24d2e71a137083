"""Xception-65 as an encoder: the "aligned" Xception of DeepLabV3+.

Chollet: Xception: Deep Learning with Depthwise Separable Convolutions, CVPR 2017,
https://arxiv.org/abs/1610.02357; changed by Chen, Zhu, Papandreou, Schroff, Adam: Encoder-Decoder
with Atrous Separable Convolution for Semantic Image Segmentation, ECCV 2018,
https://arxiv.org/abs/1802.02611, section 3.2 and figure 4: sixteen middle blocks instead of eight,
separable convolutions with a stride instead of max pooling, batch normalisation behind the
depthwise halves too.

The paper's text has a ReLU behind every depthwise half. The authors' released network has it there
in the last block alone; every other block is a pre-activation one, with a ReLU before each
separable convolution and none inside. This is the released network. Some re-implementations named
Xception keep Chollet's eight middle blocks and max pooling: 20.8 M parameters instead of 37.9 M.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from rtseg.networks.encoders.encoder import Encoder, StrideBudget
from rtseg.networks.layers import ConvBN, SeparableConvBN

MIDDLE_BLOCKS = 16


class PreActivatedSeparable(nn.Sequential):
    """ReLU, then 3x3 depthwise and 1x1 convolution, each with batch normalisation."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, rate: int) -> None:
        super().__init__(
            nn.ReLU(),  # not in place: the shortcut reads the same map
            ConvBN(
                in_channels,
                in_channels,
                stride=stride,
                rate=rate,
                groups=in_channels,
                activation=None,
            ),
            ConvBN(in_channels, out_channels, 1, activation=None),
        )


class XceptionBlock(nn.Module):
    """Three separable convolutions, the last with the stride, and a shortcut.

    The shortcut is the map itself where sizes and channels agree, else a 1x1 convolution.
    """

    def __init__(
        self, in_channels: int, widths: Sequence[int], budget: StrideBudget, stride: int = 1
    ) -> None:
        super().__init__()
        rate = budget.rate
        own_stride, _ = budget.spend(stride)
        first, second, last = widths
        self.inner = nn.Sequential(
            PreActivatedSeparable(in_channels, first, 1, rate),
            PreActivatedSeparable(first, second, 1, rate),
        )
        self.outer = PreActivatedSeparable(second, last, own_stride, rate)
        self.shortcut = (
            nn.Identity()
            if stride == 1 and in_channels == last
            else ConvBN(in_channels, last, 1, stride=own_stride, activation=None)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, widths[-1], h / stride, w / stride]."""
        return self.both(x)[1]

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the map before the convolution with the stride, and the block's output."""
        inner = self.inner(x)
        return inner, self.outer(inner) + self.shortcut(x)


class Xception65(Encoder):
    """Xception-65, 37.9 M parameters; its maps have 64, 256, 256, 728 and 2048 channels.

    They are the stem, the inside of the second entry block before its stride (the map that the
    decoder of DeepLabV3+ reads), that block's output, the middle flow and the exit flow.
    """

    def __init__(self, output_stride: int = 32) -> None:
        super().__init__(output_stride)
        budget = StrideBudget(output_stride)
        self.stem = nn.Sequential(ConvBN(3, 32, stride=budget.spend(2)[0]), ConvBN(32, 64))
        strides = [budget.stride]
        self.entry1 = XceptionBlock(64, (128,) * 3, budget, stride=2)
        strides.append(budget.stride)
        self.entry2 = XceptionBlock(128, (256,) * 3, budget, stride=2)
        strides.append(budget.stride)
        self.entry3 = XceptionBlock(256, (728,) * 3, budget, stride=2)
        middle = (XceptionBlock(728, (728,) * 3, budget) for _ in range(MIDDLE_BLOCKS))
        self.middle = nn.Sequential(*middle)
        strides.append(budget.stride)
        self.exit1 = XceptionBlock(728, (728, 1024, 1024), budget, stride=2)
        strides.append(budget.stride)
        self.exit2 = nn.Sequential(
            *(
                SeparableConvBN(*widths, rate=budget.rate)
                for widths in ((1024, 1536), (1536, 1536), (1536, 2048))
            )
        )
        self.channels, self.strides = (64, 256, 256, 728, 2048), tuple(strides)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the maps of 64, 256, 256, 728 and 2048 channels."""
        stem = self.stem(images)  # [N, 64, H / 2, W / 2]
        low_level, entry = self.entry2.both(self.entry1(stem))  # 256 channels at 1/4 and at 1/8
        middle = self.middle(self.entry3(entry))  # [N, 728, H / 16, W / 16]
        return [stem, low_level, entry, middle, self.exit2(self.exit1(middle))]
