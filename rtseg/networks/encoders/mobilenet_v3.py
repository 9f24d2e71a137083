"""MobileNetV3-Large as an encoder.

Howard et al.: Searching for MobileNetV3, ICCV 2019, https://arxiv.org/abs/1905.02244, table 1 and
section 5.2. The last map is the 1x1 convolution to 960 channels, as in torchvision's networks for
segmentation and as in the paper's own segmentation head; the paper halves the channels of the last
blocks for Cityscapes, this does not.
"""

from __future__ import annotations

from torch import Tensor, nn

from rtseg.networks.encoders.encoder import Encoder, StrideBudget
from rtseg.networks.layers import ConvBN

BLOCKS = (
    # kernel, expanded channels, channels, squeeze-and-excitation, activation, stride
    (3, 16, 16, False, nn.ReLU, 1),
    (3, 64, 24, False, nn.ReLU, 2),
    (3, 72, 24, False, nn.ReLU, 1),
    (5, 72, 40, True, nn.ReLU, 2),
    (5, 120, 40, True, nn.ReLU, 1),
    (5, 120, 40, True, nn.ReLU, 1),
    (3, 240, 80, False, nn.Hardswish, 2),
    (3, 200, 80, False, nn.Hardswish, 1),
    (3, 184, 80, False, nn.Hardswish, 1),
    (3, 184, 80, False, nn.Hardswish, 1),
    (3, 480, 112, True, nn.Hardswish, 1),
    (3, 672, 112, True, nn.Hardswish, 1),
    (5, 672, 160, True, nn.Hardswish, 2),
    (5, 960, 160, True, nn.Hardswish, 1),
    (5, 960, 160, True, nn.Hardswish, 1),
)


class SqueezeExcitation(nn.Module):
    """Scale each channel by a gate between 0 and 1 that all channels' means decide."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = _multiple_of_8(channels / 4)
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.excite = nn.Conv2d(squeezed, channels, 1)
        self.relu = nn.ReLU(inplace=True)
        self.gate = nn.Hardsigmoid(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, channels, h, w]."""
        means = x.mean((2, 3), keepdim=True)  # [N, channels, 1, 1]
        return x * self.gate(self.excite(self.relu(self.squeeze(means))))


class InvertedResidual(nn.Module):
    """1x1 expansion, depthwise, gate, linear 1x1; a shortcut where the sizes agree."""

    def __init__(
        self,
        in_channels: int,
        block: tuple[int, int, int, bool, type[nn.Module], int],
        stride: int,
        rate: int,
    ) -> None:
        super().__init__()
        kernel, width, out_channels, has_gate, activation, _ = block
        self.has_shortcut = stride == 1 and in_channels == out_channels
        layers: list[nn.Module] = []
        if width != in_channels:
            layers.append(ConvBN(in_channels, width, 1, activation=activation))
        depthwise = ConvBN(
            width, width, kernel, stride=stride, rate=rate, groups=width, activation=activation
        )
        layers.append(depthwise)
        if has_gate:
            layers.append(SqueezeExcitation(width))
        layers.append(ConvBN(width, out_channels, 1, activation=None))
        self.block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, out_channels, h / stride, w / stride]."""
        return x + self.block(x) if self.has_shortcut else self.block(x)


class MobileNetV3Large(Encoder):
    """MobileNetV3-Large; its maps have 16, 24, 40, 112 and 960 channels.

    Each is the last before the resolution falls (or would fall, without atrous rates).
    """

    def __init__(self, output_stride: int = 32) -> None:
        super().__init__(output_stride)
        budget = StrideBudget(output_stride)
        budget.spend(2)
        features: list[nn.Module] = [ConvBN(3, 16, stride=2, activation=nn.Hardswish)]
        channels, strides, ends = [], [], []
        in_channels = 16
        for block in BLOCKS:
            if block[-1] == 2:
                channels.append(in_channels)
                strides.append(budget.stride)
                ends.append(len(features))
            features.append(InvertedResidual(in_channels, block, *budget.spend(block[-1])))
            in_channels = block[2]
        features.append(ConvBN(in_channels, 960, 1, activation=nn.Hardswish))
        self.features = nn.Sequential(*features)
        self.channels = (*channels, 960)
        self.strides = (*strides, budget.stride)
        self._ends = (*ends, len(features))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the maps of 16, 24, 40, 112 and 960 channels."""
        maps, x = [], images
        for number, block in enumerate(self.features, start=1):
            x = block(x)
            if number in self._ends:
                maps.append(x)
        return maps


def _multiple_of_8(channels: float) -> int:
    """Round to a multiple of 8, up where rounding down would lose more than a tenth."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
