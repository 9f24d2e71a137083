"""MobileNetV2 as an encoder.

Sandler, Howard, Zhu, Zhmoginov, Chen: MobileNetV2: Inverted Residuals and Linear Bottlenecks,
CVPR 2018, https://arxiv.org/abs/1801.04381, table 2. The last 1x1 convolution to 1280 channels
belongs to the classifier of ImageNet and is left out, as section 6.3 of the paper does for
DeepLab. The names of the parameters are those of torchvision's network.
"""

from __future__ import annotations

from torch import Tensor, nn

from rtseg.networks.encoders.encoder import Encoder, StrideBudget
from rtseg.networks.layers import ConvBN

STAGES = (
    # expansion, channels, blocks, stride
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class InvertedResidual(nn.Module):
    """1x1 expansion, 3x3 depthwise and linear 1x1 convolution; a shortcut where the sizes agree."""

    def __init__(
        self, in_channels: int, out_channels: int, expansion: int, stride: int, rate: int
    ) -> None:
        super().__init__()
        width = in_channels * expansion
        self.has_shortcut = stride == 1 and in_channels == out_channels
        layers: list[nn.Module] = []
        if expansion > 1:
            layers.append(ConvBN(in_channels, width, 1, activation=nn.ReLU6))
        layers.append(
            ConvBN(width, width, stride=stride, rate=rate, groups=width, activation=nn.ReLU6)
        )
        self.conv = nn.Sequential(*layers, *ConvBN(width, out_channels, 1, activation=None))

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, out_channels, h / stride, w / stride]."""
        return x + self.conv(x) if self.has_shortcut else self.conv(x)


class MobileNetV2(Encoder):
    """MobileNetV2, width 1; its maps have 16, 24, 32, 96 and 320 channels.

    Each is the last before the resolution falls (or would fall, without atrous rates).

    Args:
        output_stride: see `Encoder`.
        every_stage: whether the maps of all seven stages are wanted, those of 64 and of 160
            channels among them.
    """

    def __init__(self, output_stride: int = 32, every_stage: bool = False) -> None:
        super().__init__(output_stride)
        budget = StrideBudget(output_stride)
        stem = ConvBN(3, 32, stride=budget.spend(2)[0], activation=nn.ReLU6)
        features: list[nn.Module] = [stem]
        channels, strides, ends = [], [], []
        in_channels = 32
        for stage, (expansion, out_channels, blocks, stride) in enumerate(STAGES):
            for index in range(blocks):
                layout = budget.spend(stride if index == 0 else 1)
                features.append(InvertedResidual(in_channels, out_channels, expansion, *layout))
                in_channels = out_channels
            if every_stage or stage + 1 == len(STAGES) or STAGES[stage + 1][3] == 2:
                channels.append(out_channels)
                strides.append(budget.stride)
                ends.append(len(features))
        self.features = nn.Sequential(*features)
        self.channels, self.strides, self._ends = tuple(channels), tuple(strides), tuple(ends)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the maps, of 16, 24, 32, 96 and 320 channels unless every stage's are wanted."""
        maps, x = [], images
        for number, block in enumerate(self.features, start=1):
            x = block(x)
            if number in self._ends:
                maps.append(x)
        return maps
