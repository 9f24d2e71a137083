"""DeepLabV3 and DeepLabV3+: atrous spatial pyramid pooling, without and with a decoder.

Chen, Papandreou, Schroff, Adam: Rethinking Atrous Convolution for Semantic Image Segmentation,
2017, https://arxiv.org/abs/1706.05587 (V3). Chen, Zhu, Papandreou, Schroff, Adam: Encoder-Decoder
with Atrous Separable Convolution for Semantic Image Segmentation, ECCV 2018,
https://arxiv.org/abs/1802.02611 (V3+).

Where re-implementations differ, this follows the papers: atrous rates 6, 12, 18 at output stride 16
and twice those at 8 (some use 12, 24, 36 at both); multi-grid 1, 2, 4 in the last stage of a
ResNet; the classifier of V3 right behind the 1x1 projection (torchvision has another 3x3 between);
two 3x3 convolutions in the decoder of V3+ (some have one); in the decoder and in the pyramid
separable convolutions with batch normalisation and ReLU behind both halves. Xception-65 is the
authors' "aligned" one, with 41.05 M parameters and the 418 GMACs at 1025x2049 that they print for
V3+; the re-implementation of 37.05 M has Chollet's Xception and plain 3x3 convolutions.

Departures: V3, too, has separable convolutions unless its name ends in "-plain"; a ResNet-18, whose
last stage has two blocks, takes the first two factors of the multi-grid; an auxiliary head on the
stage before the last that only training sees; resizing aligns pixel centres, not corners.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from rtseg.networks.encoders import ENCODERS
from rtseg.networks.layers import ConvBN, FCNHead, SeparableConvBN, initialise, resize
from rtseg.networks.network import (
    MAIN,
    NETWORKS,
    NetworkCard,
    NetworkEntry,
    SegmentationNetwork,
    TrainingHead,
)

RATES = {8: (12, 24, 36), 16: (6, 12, 18)}
"""Atrous rates of the pyramid by output stride (V3, section 3.3)."""


class ASPP(nn.Module):
    """1x1, three 3x3 at atrous rates and image pooling, side by side; then 1x1 and dropout."""

    def __init__(self, in_channels: int, rates: tuple[int, ...], separable: bool) -> None:
        super().__init__()
        conv3x3 = SeparableConvBN if separable else ConvBN
        self.pointwise = ConvBN(in_channels, 256, 1)
        self.atrous = nn.ModuleList(conv3x3(in_channels, 256, rate=rate) for rate in rates)
        self.image_pooling = ConvBN(in_channels, 256, 1)
        self.project = ConvBN(256 * (2 + len(rates)), 256, 1)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, 256, h, w]."""
        pooled = self.image_pooling(x.mean((2, 3), keepdim=True))  # [N, 256, 1, 1]
        branches = [self.pointwise(x), *(conv(x) for conv in self.atrous)]
        branches.append(pooled.expand(-1, -1, *x.shape[-2:]))
        return self.dropout(self.project(torch.cat(branches, dim=1)))


class DeepLabV3(SegmentationNetwork):
    """DeepLabV3; logits at the encoder's output stride, of any picture size.

    Args:
        num_classes: K.
        encoder: a name in `ENCODERS`.
        output_stride: 8 or 16.
        separable: whether the 3x3 convolutions behind the encoder are separable.
    """

    min_size: ClassVar[int] = 32
    training_modules: ClassVar[tuple[str, ...]] = ("auxiliary_head",)

    def __init__(
        self, num_classes: int, encoder: str, output_stride: int = 16, separable: bool = True
    ) -> None:
        super().__init__(num_classes)
        self.encoder = ENCODERS[encoder](output_stride)
        self.aspp = ASPP(self.encoder.channels[-1], RATES[output_stride], separable)
        self.classifier = nn.Conv2d(256, num_classes, 1)
        self.auxiliary_head = FCNHead(self.encoder.channels[-2], num_classes)
        self.heads = {MAIN: TrainingHead(1.0), "auxiliary": TrainingHead(0.4)}
        initialise(self, classifiers=(self.classifier, self.auxiliary_head[-1]))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K, h, w] at the output stride (V3) or at stride 4 (V3+)."""
        self.check_size(images)
        return self._decode(self.encoder(images))

    def forward_train(self, images: Tensor) -> dict[str, Tensor]:
        """Return the logits of "main", as `forward`, and of "auxiliary", at stride 16 (or 8)."""
        self.check_size(images)
        maps = self.encoder(images)
        return {MAIN: self._decode(maps), "auxiliary": self.auxiliary_head(maps[-2])}

    def _decode(self, maps: list[Tensor]) -> Tensor:
        return self.classifier(self.aspp(maps[-1]))


class DeepLabV3Plus(DeepLabV3):
    """DeepLabV3+: the pyramid's output, resized, is refined with the encoder's map of stride 4.

    Logits are at stride 4; the arguments are those of `DeepLabV3`.
    """

    def __init__(
        self, num_classes: int, encoder: str, output_stride: int = 16, separable: bool = True
    ) -> None:
        super().__init__(num_classes, encoder, output_stride, separable)
        conv3x3 = SeparableConvBN if separable else ConvBN
        self._low_level = self.encoder.map_of_stride(4)
        self.low_level_project = ConvBN(self.encoder.channels[self._low_level], 48, 1)
        self.decoder = nn.Sequential(conv3x3(256 + 48, 256), conv3x3(256, 256))
        initialise(self.low_level_project)
        initialise(self.decoder)

    def _decode(self, maps: list[Tensor]) -> Tensor:
        low = self.low_level_project(maps[self._low_level])  # [N, 48, H / 4, W / 4]
        high = resize(self.aspp(maps[-1]), low.shape[-2:])
        return self.classifier(self.decoder(torch.cat((high, low), dim=1)))


def _structure(plus: bool, output_stride: int, plain: bool) -> str:
    decoder = "a decoder with a 48-channel branch of stride 4 and two 3x3 convolutions; "
    return (
        f"Output stride {output_stride}, atrous rates {RATES[output_stride]}, image pooling; "
        f"{decoder if plus else ''}{'plain' if plain else 'separable'} 3x3 convolutions behind "
        f"the encoder. Logits at stride {4 if plus else output_stride}."
    )


def _register(
    family: type[DeepLabV3], encoder: str, suffix: str, parameters: int, gmacs: float
) -> None:
    plus, stride, plain = family is DeepLabV3Plus, 8 if "-os8" in suffix else 16, "-plain" in suffix
    version = "V3+" if plus else "V3"
    card = NetworkCard(
        title=f"DeepLab{version} ({encoder}, output stride {stride}{', plain' if plain else ''})",
        paper=PAPERS[version],
        url=f"https://arxiv.org/abs/{'1802.02611' if plus else '1706.05587'}",
        structure=_structure(plus, stride, plain),
        parameters=parameters,
        gmacs=gmacs,
    )
    build = partial(family, encoder=encoder, output_stride=stride, separable=not plain)
    name = f"deeplabv3plus-{encoder}{suffix}" if plus else f"deeplabv3-{encoder}{suffix}"
    NETWORKS.add(name, NetworkEntry(build, card))


PAPERS = {
    "V3": "Chen, Papandreou, Schroff, Adam: Rethinking Atrous Convolution for Semantic Image "
    "Segmentation, 2017",
    "V3+": "Chen, Zhu, Papandreou, Schroff, Adam: Encoder-Decoder with Atrous Separable "
    "Convolution for Semantic Image Segmentation, ECCV 2018",
}

_register(DeepLabV3, "resnet18", "", 12_184_403, 134.47)
_register(DeepLabV3, "resnet50", "", 26_532_691, 279.77)
_register(DeepLabV3, "resnet50", "-os8", 26_532_691, 878.78)
_register(DeepLabV3, "resnet50", "-plain", 39_048_019, 382.39)
_register(DeepLabV3, "resnet101", "", 45_524_819, 434.92)
_register(DeepLabV3, "resnet101", "-plain", 58_040_147, 537.55)
_register(DeepLabV3, "mobilenet-v2", "", 2_567_507, 24.52)
_register(DeepLabV3, "mobilenet-v3", "", 4_568_067, 25.65)
_register(DeepLabV3, "xception65", "", 40_891_971, 388.54)
_register(DeepLabV3, "xception65", "-os8", 40_891_971, 1351.14)
_register(DeepLabV3Plus, "resnet18", "", 12_338_115, 154.92)
_register(DeepLabV3Plus, "resnet50", "", 26_695_619, 301.43)
_register(DeepLabV3Plus, "resnet50", "-os8", 26_695_619, 900.32)
_register(DeepLabV3Plus, "resnet50", "-plain", 40_351_667, 553.72)
_register(DeepLabV3Plus, "resnet101", "", 45_687_747, 456.58)
_register(DeepLabV3Plus, "resnet101", "-os8", 45_687_747, 1520.95)
_register(DeepLabV3Plus, "mobilenet-v2", "", 2_719_299, 44.72)
_register(DeepLabV3Plus, "mobilenet-v2", "-os8", 2_719_299, 103.36)
_register(DeepLabV3Plus, "mobilenet-v2", "-plain", 5_815_539, 210.42)
_register(DeepLabV3Plus, "mobilenet-v3", "", 4_719_859, 45.85)
_register(DeepLabV3Plus, "xception65", "", 41_054_899, 410.20)
_register(DeepLabV3Plus, "xception65", "-os8", 41_054_899, 1372.68)
