"""SegNet: the decoder puts every value back where the encoder's pooling found its maximum.

Badrinarayanan, Kendall, Cipolla: SegNet: A Deep Convolutional Encoder-Decoder Architecture for
Image Segmentation, PAMI 2017, https://arxiv.org/abs/1511.00561

The structure is that of the authors' released network: VGG-16 without its fully connected layers,
mirrored. Each stage of the decoder unpools with the indices of the pooling that it mirrors and
makes the sparse map dense with as many 3x3 convolutions as that stage has; the last of a stage
narrows to the width of the next, and the very last gives the classes. Every convolution has a bias,
batch normalisation and ReLU, but for the one of the classes. Some re-implementations leave out
biases, add dropout (that is Bayesian SegNet) or upsample bilinearly.

Departures: the weights start as `initialise` says, where the authors start the encoder from
ImageNet; sizes are multiples of 32, where theirs tell each unpooling its size by hand.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from rtseg.networks.encoders.vgg import VGG16
from rtseg.networks.layers import initialise
from rtseg.networks.network import NETWORKS, NetworkCard, NetworkEntry, SegmentationNetwork
from rtseg.networks.upsampling import MaxUnpooling

DECODER = ((512, 512, 512), (512, 512, 256), (256, 256, 128), (128, 64), (64,))
"""Output channels of the convolutions of each stage, from coarse to fine."""


class DecoderStage(nn.Module):
    """Max unpooling, then 3x3 convolutions, each with batch normalisation and ReLU."""

    def __init__(self, in_channels: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.unpool = MaxUnpooling(in_channels)
        layers: list[nn.Module] = []
        for inputs, outputs in zip((in_channels, *widths), widths, strict=False):
            conv = nn.Conv2d(inputs, outputs, 3, padding=1)
            layers += [conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        self.convolutions = nn.Sequential(*layers)

    def forward(self, x: Tensor, indices: tuple[Tensor, Tensor]) -> Tensor:
        """Return [N, widths[-1], 2h, 2w]."""
        return self.convolutions(self.unpool(x, indices))


class SegNet(SegmentationNetwork):
    """SegNet on VGG-16; logits at full resolution.

    Args:
        num_classes: K.
    """

    size_multiple: ClassVar[int] = 32
    min_size: ClassVar[int] = 32

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.encoder = VGG16(batch_norm=True)
        inputs = (self.encoder.channels[-1], *(widths[-1] for widths in DECODER))
        stages = (DecoderStage(*of) for of in zip(inputs, DECODER, strict=False))
        self.decoder = nn.ModuleList(stages)
        self.classifier = nn.Conv2d(inputs[-1], num_classes, 3, padding=1)
        initialise(self, classifiers=(self.classifier,))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K, H, W]."""
        self.check_size(images)
        x, indices = self.encoder.forward_indexed(images)  # [N, 512, H / 32, W / 32]
        for stage, where in zip(self.decoder, reversed(indices), strict=True):
            x = stage(x, where)
        return self.classifier(x)


NETWORKS.add(
    "segnet",
    NetworkEntry(
        SegNet,
        NetworkCard(
            title="SegNet",
            paper=(
                "Badrinarayanan, Kendall, Cipolla: SegNet: A Deep Convolutional Encoder-Decoder "
                "Architecture for Image Segmentation, PAMI 2017"
            ),
            url="https://arxiv.org/abs/1511.00561",
            structure=(
                "The authors' own structure: VGG-16 without its fully connected layers, mirrored; "
                "max unpooling with the encoder's indices, biases and batch normalisation "
                "throughout. Starts from random weights. Logits at full resolution."
            ),
            parameters=29_453_971,
            gmacs=1302.18,
        ),
    ),
)
