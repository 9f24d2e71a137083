"""DeepLab v1 and v2: atrous convolutions keep the map fine and the view wide.

Chen, Papandreou, Kokkinos, Murphy, Yuille: "Semantic Image Segmentation with Deep Convolutional
Nets and Fully Connected CRFs", ICLR 2015, https://arxiv.org/abs/1412.7062 (v1). The same authors:
"DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous Convolution, and Fully
Connected CRFs", PAMI 2018, https://arxiv.org/abs/1606.00915 (v2).

v1 is the variant LargeFOV (section 5.2 and table 2): a VGG-16 whose last two poolings have stride
1, with rate 2 in its fifth stage; fc6 is a 3x3 convolution of rate 12, fc7 a 1x1 convolution, both
to 1024 channels: 20.5 M parameters. v2 has four such branches side by side, of rates 6, 12, 18 and
24, whose logits are added: atrous spatial pyramid pooling, ASPP-L (section 3.2, figure 7). Behind a
VGG-16 each branch has its own fc6 and fc7, behind a ResNet it is one 3x3 convolution to the
classes.

Both papers refine the logits with a dense CRF. That is no part of the network: evaluation and the
stream have it as a post-process, `--crf`.

Departures:
- v2's ResNets run on one scale; the paper trains on three and takes the largest score of each.
- classifiers of v2 start with deviation 0.001, v1's with 0.01 as in the papers: in a network
  without pretrained weights the sum of four would not start near zero.
- the other weights of the VGG-16 networks are drawn for inputs of one size in all layers (He et al.
  2015), as there is no batch normalisation.
- variants with ResNet-18 and -50, which the paper hasn't.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from torch import Tensor, nn

from rtseg.networks.encoders import Encoder
from rtseg.networks.encoders.resnet import resnet18, resnet50, resnet101
from rtseg.networks.encoders.vgg import VGG16
from rtseg.networks.layers import draw_normal, initialise, initialise_fan_in
from rtseg.networks.network import NETWORKS, NetworkCard, NetworkEntry, SegmentationNetwork

RATES = (6, 12, 18, 24)
"""Atrous rates of the branches of v2's ASPP-L."""


class LargeFieldOfView(nn.Sequential):
    """VGG-16's fully connected layers as convolutions: 3x3 with an atrous rate, 1x1, classifier."""

    def __init__(
        self, in_channels: int, num_classes: int, rate: int = 12, channels: int = 1024
    ) -> None:
        super().__init__(
            nn.Conv2d(in_channels, channels, 3, padding=rate, dilation=rate),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Conv2d(channels, channels, 1),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Conv2d(channels, num_classes, 1),
        )


class DeepLabV1(SegmentationNetwork):
    """DeepLab-LargeFOV; logits at stride 8, of any picture size."""

    min_size: ClassVar[int] = 32

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.encoder = VGG16(8, pool_kernel=3)
        self.head = LargeFieldOfView(self.encoder.channels[-1], num_classes)
        initialise_fan_in(self, classifiers=(self.head[-1],))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K, H / 8, W / 8] (rounded up) of `images` [N, 3, H, W]."""
        self.check_size(images)
        return self.head(self.encoder(images)[-1])


class DeepLabV2(SegmentationNetwork):
    """DeepLab v2 with ASPP-L; logits at stride 8, of any picture size.

    Args:
        num_classes: K.
        trunk: builds a ResNet, given an output stride and a multi-grid, or is `VGG16`.
    """

    min_size: ClassVar[int] = 32

    def __init__(self, num_classes: int, trunk: Callable[..., Encoder] = resnet101) -> None:
        super().__init__(num_classes)
        fully_connected = trunk is VGG16
        self.encoder = VGG16(8, pool_kernel=3) if fully_connected else trunk(8, multi_grid=(1,))
        branch = LargeFieldOfView if fully_connected else _classifier
        inputs = self.encoder.channels[-1]
        self.branches = nn.ModuleList(branch(inputs, num_classes, rate) for rate in RATES)
        (initialise_fan_in if fully_connected else initialise)(self)
        for each in self.branches:
            draw_normal(_last_convolution(each).weight, 0.001)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K, H / 8, W / 8] (rounded up) of `images` [N, 3, H, W]."""
        self.check_size(images)
        last = self.encoder(images)[-1]
        logits = self.branches[0](last)
        for branch in self.branches[1:]:
            logits = logits + branch(last)
        return logits


def _classifier(in_channels: int, num_classes: int, rate: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, num_classes, 3, padding=rate, dilation=rate)


def _last_convolution(branch: nn.Module) -> nn.Conv2d:
    return [each for each in branch.modules() if isinstance(each, nn.Conv2d)][-1]


CRF = "The papers' dense CRF is a post-process (--crf). Logits at stride 8."

NETWORKS.add(
    "deeplabv1-vgg16",
    NetworkEntry(
        DeepLabV1,
        NetworkCard(
            title="DeepLab v1 (VGG-16, LargeFOV)",
            paper="Chen, Papandreou, Kokkinos, Murphy, Yuille: Semantic Image Segmentation with "
            "Deep Convolutional Nets and Fully Connected CRFs, ICLR 2015",
            url="https://arxiv.org/abs/1412.7062",
            structure="VGG-16 with poolings 4 and 5 at stride 1 and rate 2 in its fifth stage; "
            f"fc6 3x3 of rate 12 and fc7, both 1024 channels. {CRF}",
            parameters=20_503_379,
            gmacs=1004.99,
        ),
    ),
)


def _register(
    trunk: Callable[..., Encoder], title: str, branches: str, parameters: int, gmacs: float
) -> None:
    card = NetworkCard(
        title=f"DeepLab v2 ({title})",
        paper="Chen, Papandreou, Kokkinos, Murphy, Yuille: DeepLab: Semantic Image Segmentation "
        "with Deep Convolutional Nets, Atrous Convolution, and Fully Connected CRFs, PAMI 2018",
        url="https://arxiv.org/abs/1606.00915",
        structure=(
            f"Output stride 8; ASPP-L, {branches} of rates 6, 12, 18 and 24, added at the logits; "
            f"one scale, where the paper's ResNet fuses three. {CRF}"
        ),
        parameters=parameters,
        gmacs=gmacs,
    )
    name = f"deeplabv2-{title.lower().replace('-', '')}"
    NETWORKS.add(name, NetworkEntry(partial(DeepLabV2, trunk=trunk), card))


_register(resnet18, "ResNet-18", "four 3x3 classifiers", 11_526_796, 396.51)
_register(resnet50, "ResNet-50", "four 3x3 classifiers", 24_908_940, 843.26)
_register(resnet101, "ResNet-101", "four 3x3 classifiers", 43_901_068, 1463.88)
_register(VGG16, "VGG-16", "four branches of fc6, fc7 and classifier", 37_869_452, 1573.84)
