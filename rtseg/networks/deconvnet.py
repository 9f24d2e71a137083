"""DeconvNet: VGG-16 down to single cells and its mirror image back up, unpooling and all.

Noh, Hong, Han: Learning Deconvolution Network for Semantic Segmentation, ICCV 2015,
https://arxiv.org/abs/1505.04366

The structure is that of the authors' released network. Behind VGG-16 come its fully connected
layers as convolutions, 7x7 and 1x1 with 4096 channels, which turn the 7x7 cells of a picture of
224x224 into one. A transposed 7x7 convolution makes 7x7 cells of it again, and five stages of
unpooling and transposed 3x3 convolutions mirror VGG-16 up to full resolution. Every convolution,
transposed or not, has a bias, batch normalisation and ReLU, but for the 1x1 of the classes; there
is no dropout.

Departures: whole pictures of any size from 224x224 on, where the authors run windows of that size
around fifty object proposals and take the maximum; the weights start as `initialise` says, where
the authors start the encoder from ImageNet and train in two stages, of which the first sees single
objects. In training a 224x224 picture leaves one value per channel to normalise: a batch needs 2
pictures or more, or larger ones.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from rtseg.networks.encoders.vgg import VGG16
from rtseg.networks.layers import initialise
from rtseg.networks.network import NETWORKS, NetworkCard, NetworkEntry, SegmentationNetwork
from rtseg.networks.upsampling import MaxUnpooling

DECODER = ((512, 512, 512), (512, 512, 256), (256, 256, 128), (128, 64), (64, 64))
"""Output channels of the transposed convolutions of each stage, from coarse to fine."""


def _with_bn(convolution: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU(inplace=True)]


class DecoderStage(nn.Module):
    """Max unpooling, then transposed 3x3 convolutions at stride 1, each with BN and ReLU."""

    def __init__(self, in_channels: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.unpool = MaxUnpooling(in_channels)
        layers: list[nn.Module] = []
        for inputs, outputs in zip((in_channels, *widths), widths, strict=False):
            layers += _with_bn(nn.ConvTranspose2d(inputs, outputs, 3, padding=1))
        self.convolutions = nn.Sequential(*layers)

    def forward(self, x: Tensor, indices: tuple[Tensor, Tensor]) -> Tensor:
        """Return [N, widths[-1], 2h, 2w]."""
        return self.convolutions(self.unpool(x, indices))


class DeconvNet(SegmentationNetwork):
    """DeconvNet on VGG-16; logits at full resolution.

    Args:
        num_classes: K.
    """

    size_multiple: ClassVar[int] = 32
    min_size: ClassVar[int] = 224

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.encoder = VGG16(batch_norm=True)
        self.fully_connected = nn.Sequential(
            *_with_bn(nn.Conv2d(512, 4096, 7)),
            *_with_bn(nn.Conv2d(4096, 4096, 1)),
            *_with_bn(nn.ConvTranspose2d(4096, 512, 7)),
        )
        inputs = (512, *(widths[-1] for widths in DECODER))
        stages = (DecoderStage(*of) for of in zip(inputs, DECODER, strict=False))
        self.decoder = nn.ModuleList(stages)
        self.classifier = nn.Conv2d(inputs[-1], num_classes, 1)
        initialise(self, classifiers=(self.classifier,))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K, H, W]."""
        self.check_size(images)
        x, indices = self.encoder.forward_indexed(images)  # [N, 512, H / 32, W / 32]
        x = self.fully_connected(x)  # 4096 channels at H / 32 - 6, W / 32 - 6 on the way
        for stage, where in zip(self.decoder, reversed(indices), strict=True):
            x = stage(x, where)
        return self.classifier(x)


NETWORKS.add(
    "deconvnet",
    NetworkEntry(
        DeconvNet,
        NetworkCard(
            title="DeconvNet",
            paper=(
                "Noh, Hong, Han: Learning Deconvolution Network for Semantic Segmentation, "
                "ICCV 2015"
            ),
            url="https://arxiv.org/abs/1505.04366",
            structure=(
                "The authors' own structure: VGG-16 with its fully connected layers as "
                "convolutions, mirrored by max unpooling and transposed convolutions; whole "
                "pictures instead of object proposals. Starts from random weights. Logits at full "
                "resolution."
            ),
            parameters=251_805_523,
            gmacs=1694.31,
        ),
    ),
)
