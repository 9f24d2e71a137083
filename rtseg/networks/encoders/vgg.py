"""VGG-16 as an encoder: thirteen 3x3 convolutions in five stages, a max-pooling behind each.

Simonyan, Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR 2015,
https://arxiv.org/abs/1409.1556, column D of table 1. Every convolution has a bias and a ReLU. Batch
normalisation between the two is not from the paper, but SegNet and DeconvNet have it there. The
three fully connected layers are left out: what takes their place is up to the network.

Poolings round odd sizes up, as those of Caffe do, with which all networks on VGG-16 were written.
Where a stage may not go beyond the output stride, its pooling is 3x3 at stride 1, as in DeepLab
(https://arxiv.org/abs/1412.7062). The names of the parameters are those of torchvision's networks.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from rtseg.networks.encoders.encoder import Encoder, StrideBudget
from rtseg.networks.upsampling import PoolingIndices, pooling_indices

STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Output channels of the convolutions of each stage."""


class MaxPooling(nn.Module):
    """Max-pooling of a rectified map: 2x2 at stride 2, or 3x3 at stride 1 or 2.

    Args:
        kernel: 2 or 3.
        stride: 1 (with kernel 3) or 2.
    """

    def __init__(self, kernel: int = 2, stride: int = 2) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, C, ceil(h / stride), ceil(w / stride)] of `x` ≥ 0."""
        if self.kernel == 3:
            return F.max_pool2d(x, 3, self.stride, padding=1)
        height, width = x.shape[-2:]
        if height % 2 or width % 2:
            # No zero is larger than a rectified value: the windows at the border are cut short.
            x = F.pad(x, (0, width % 2, 0, height % 2))
        return F.max_pool2d(x, 2)


class VGG16(Encoder):
    """VGG-16; its maps, one behind each pooling, have 64, 128, 256, 512 and 512 channels.

    Args:
        output_stride: see `Encoder`.
        batch_norm: whether each convolution is followed by batch normalisation.
        pool_kernel: 2, as in the paper, or 3, as in DeepLab.
    """

    def __init__(
        self, output_stride: int = 32, *, batch_norm: bool = False, pool_kernel: int = 2
    ) -> None:
        super().__init__(output_stride)
        budget = StrideBudget(output_stride)
        layers: list[nn.Module] = []
        strides, in_channels = [], 3
        for stage in STAGES:
            for channels in stage:
                layers += _convolution(in_channels, channels, budget.rate, batch_norm)
                in_channels = channels
            stride, _ = budget.spend(2)
            layers.append(MaxPooling(3 if stride == 1 else pool_kernel, stride))
            strides.append(budget.stride)
        self.features = nn.Sequential(*layers)
        self.channels = tuple(stage[-1] for stage in STAGES)
        self.strides = tuple(strides)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the five pooled maps."""
        maps, x = [], images
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, MaxPooling):
                maps.append(x)
        return maps

    def forward_indexed(self, images: Tensor) -> tuple[Tensor, list[PoolingIndices]]:
        """Return the last map and, from fine to coarse, where each pooling found its maxima.

        Heights and widths must be multiples of 32; for 2x2 poolings at an output stride of 32.
        """
        indices, x = [], images
        for layer in self.features:
            if isinstance(layer, MaxPooling):
                indices.append(pooling_indices(x))
            x = layer(x)
        return x, indices


def _convolution(
    in_channels: int, out_channels: int, rate: int, batch_norm: bool
) -> list[nn.Module]:
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=rate, dilation=rate)
    norm = [nn.BatchNorm2d(out_channels)] if batch_norm else []
    return [conv, *norm, nn.ReLU(inplace=True)]


def vgg16(output_stride: int = 32) -> VGG16:
    """Return VGG-16 as in the paper: 14.7 M parameters."""
    return VGG16(output_stride)


def vgg16_bn(output_stride: int = 32) -> VGG16:
    """Return VGG-16 with batch normalisation: 14.7 M parameters."""
    return VGG16(output_stride, batch_norm=True)
