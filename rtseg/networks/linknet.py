"""LinkNet: every decoder block gets the input of the encoder block that it mirrors.

Chaurasia, Culurciello: LinkNet: Exploiting Encoder Representations for Efficient Semantic
Segmentation, VCIP 2017, https://arxiv.org/abs/1707.03718.

This is the structure of the authors' own code, which popular re-implementations depart from: four
additions, the last with the max-pooled stem (some have three, some five and a skip at stride 2); a
ReLU behind every addition; strided 3x3 transposed convolutions in the decoder (some 4x4); the head
is transposed 3x3 at stride 2, 3x3, transposed 2x2 at stride 2, and it alone has biases. Not from
the paper: an auxiliary head at stride 16 that only training sees, torch's epsilon of 1e-5 in the
batch normalisation of the decoder (the authors' is 1e-3), and weights that start as `initialise`
says, where the authors start the encoder from ImageNet.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from rtseg.networks.encoders import ENCODERS
from rtseg.networks.layers import ConvBN, FCNHead, initialise
from rtseg.networks.network import (
    MAIN,
    NETWORKS,
    NetworkCard,
    NetworkEntry,
    SegmentationNetwork,
    TrainingHead,
)
from rtseg.networks.squeeze_excitation import ConcurrentExcitation, Merge, excitation_gates


class DecoderBlock(nn.Sequential):
    """1x1 to a quarter of the channels, 3x3 transposed, 1x1; BN and ReLU behind each."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        width = in_channels // 4
        super().__init__(
            ConvBN(in_channels, width, 1),
            nn.ConvTranspose2d(width, width, 3, stride, 1, stride - 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            ConvBN(width, out_channels, 1),
        )


class LinkNet(SegmentationNetwork):
    """LinkNet on a ResNet of basic blocks; logits at full resolution.

    Args:
        num_classes: K.
        encoder: ``"resnet18"`` (the paper's) or ``"resnet34"``.
        scse: ``"add"`` or ``"max"`` for scSE behind every block of encoder and decoder, or None.
    """

    size_multiple: ClassVar[int] = 32
    min_size: ClassVar[int] = 32
    training_modules: ClassVar[tuple[str, ...]] = ("auxiliary_head",)

    def __init__(
        self, num_classes: int, encoder: str = "resnet18", scse: Merge | None = None
    ) -> None:
        super().__init__(num_classes)
        self.encoder = ENCODERS[encoder](32)
        self.decoder4 = DecoderBlock(512, 256, 2)
        self.decoder3 = DecoderBlock(256, 128, 2)
        self.decoder2 = DecoderBlock(128, 64, 2)
        self.decoder1 = DecoderBlock(64, 64, 1)
        self.head = nn.Sequential(
            nn.ConvTranspose2d(64, 32, 3, stride=2, padding=1, output_padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(inplace=True),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(inplace=True),
        )
        self.classifier = nn.ConvTranspose2d(32, num_classes, 2, stride=2)
        self.auxiliary_head = FCNHead(256, num_classes)
        self.heads = {MAIN: TrainingHead(1.0), "auxiliary": TrainingHead(0.4)}
        if scse:
            self._recalibrate(scse)
        classifiers = (self.classifier, self.auxiliary_head[-1], *excitation_gates(self))
        initialise(self, classifiers)

    def _recalibrate(self, merge: Merge) -> None:
        encoder = [self.encoder.get_submodule(f"layer{number}") for number in range(1, 5)]
        decoder = (self.decoder4, self.decoder3, self.decoder2, self.decoder1)
        widths = (*self.encoder.channels[1:], 256, 128, 64, 64)
        for block, channels in zip((*encoder, *decoder), widths, strict=True):
            assert isinstance(block, nn.Sequential)
            block.append(ConcurrentExcitation(channels, merge=merge))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K, H, W]."""
        self.check_size(images)
        return self._decode(self.encoder(images))

    def forward_train(self, images: Tensor) -> dict[str, Tensor]:
        """Return the logits of "main" [N, K, H, W] and "auxiliary" [N, K, H / 16, W / 16]."""
        self.check_size(images)
        maps = self.encoder(images)
        return {MAIN: self._decode(maps), "auxiliary": self.auxiliary_head(maps[3])}

    def _decode(self, maps: list[Tensor]) -> Tensor:
        stem, e1, e2, e3, e4 = maps  # strides 4, 4, 8, 16, 32; 64, 64, 128, 256, 512 channels
        d4 = F.relu(e3 + self.decoder4(e4))  # [N, 256, H / 16, W / 16]
        d3 = F.relu(e2 + self.decoder3(d4))  # [N, 128, H / 8, W / 8]
        d2 = F.relu(e1 + self.decoder2(d3))  # [N, 64, H / 4, W / 4]
        d1 = F.relu(stem + self.decoder1(d2))  # [N, 64, H / 4, W / 4]
        return self.classifier(self.head(d1))


STRUCTURE = (
    "The authors' own structure: four additions with the encoder blocks' inputs, a ReLU "
    "behind each, transposed convolutions in decoder and head. Logits at full resolution."
)
SCSE = (
    "LinkNet with scSE (Roy et al., MICCAI 2018: reduction 2, excitations added) behind every "
    "block of the encoder and of the decoder, before what is added to it."
)


def _register(
    name: str, build: partial[LinkNet], title: str, parameters: int, gmacs: float
) -> None:
    card = NetworkCard(
        title=title,
        paper="Chaurasia, Culurciello: LinkNet, VCIP 2017",
        url="https://arxiv.org/abs/1707.03718",
        structure=SCSE if "scse" in name else STRUCTURE,
        parameters=parameters,
        gmacs=gmacs,
    )
    NETWORKS.add(name, NetworkEntry(build, card))


RESNET18 = partial(LinkNet, encoder="resnet18")
RESNET34 = partial(LinkNet, encoder="resnet34")

_register("linknet", RESNET18, "LinkNet (ResNet-18)", 11_535_699, 87.01)
_register("linknet-resnet34", RESNET34, "LinkNet (ResNet-34)", 21_643_859, 164.32)
_register(
    "linknet-scse", partial(LinkNet, scse="add"), "LinkNet (ResNet-18, scSE)", 11_977_659, 87.05
)
