"""TernausNetV2: a U-Net on a known encoder that marks objects and where they touch.

Iglovikov, Seferbekov, Buslaev, Shvets: TernausNetV2: Fully Convolutional Network for Instance
Segmentation, CVPR Workshops 2018, https://arxiv.org/abs/1806.00844.

One more channel beside the classes tells where objects touch; the class less those borders is the
seeds of a watershed: `rtseg.instances.border_watershed`. The decoder is the authors': from the
pooled last map of the encoder, five blocks that double the size, each of two 3x3 convolutions, with
256, 256, 256, 64 and 32 channels at their ends and the encoder's map of that size put beside each.

Departures: the encoder is a ResNet-34 or, with half the decoder's filters, a ResNet-18, where the
paper has WideResNet-38 with activated batch normalisation in place and eleven spectral bands; the
ResNet's finest map has stride 2, so one more of the decoder's blocks leads to full resolution;
upsampling is bilinear, where the authors repeat pixels, against chequered patterns either way;
batch normalisation in the decoder, whose convolutions have none there, as it is trained from
scratch; and logits of K classes instead of one mask.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rtseg.networks.encoders.resnet import resnet18, resnet34
from rtseg.networks.layers import ConvBN, initialise, resize
from rtseg.networks.network import (
    MAIN,
    NETWORKS,
    NetworkCard,
    NetworkEntry,
    SegmentationNetwork,
    TrainingHead,
)

ENCODERS = {"resnet18": resnet18, "resnet34": resnet34}


class DecoderBlock(nn.Module):
    """Upsampling to a given size, then two 3x3 convolutions."""

    def __init__(self, in_channels: int, middle: int, out_channels: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(ConvBN(in_channels, middle), ConvBN(middle, out_channels))

    def forward(self, x: Tensor, hw: tuple[int, int]) -> Tensor:
        """Return [N, out, *hw]."""
        return self.convs(resize(x, hw))


class TernausNetV2(SegmentationNetwork):
    """TernausNetV2 on a ResNet of basic blocks; classes and borders at full resolution.

    Args:
        num_classes: K.
        encoder: ``"resnet34"`` or ``"resnet18"``.
        filters: a unit of the decoder's widths; the authors' is 32.
    """

    min_size: ClassVar[int] = 64
    instance_modules: ClassVar[tuple[str, ...]] = ("border",)

    def __init__(self, num_classes: int, encoder: str = "resnet34", filters: int = 32) -> None:
        super().__init__(num_classes)
        f = filters
        self.encoder = ENCODERS[encoder](32)
        self.center = DecoderBlock(512, 8 * f, 8 * f)
        self.decoder5 = DecoderBlock(512 + 8 * f, 8 * f, 8 * f)
        self.decoder4 = DecoderBlock(256 + 8 * f, 8 * f, 8 * f)
        self.decoder3 = DecoderBlock(128 + 8 * f, 2 * f, 2 * f)
        self.decoder2 = DecoderBlock(64 + 2 * f, 2 * f, f)
        self.decoder1 = DecoderBlock(64 + f, f, f)
        self.classifier = nn.Conv2d(f, num_classes, 1)
        self.border = nn.Conv2d(f, 1, 1)
        self.heads = {MAIN: TrainingHead(1.0), "border": TrainingHead(1.0, target="border")}
        initialise(self, classifiers=(self.classifier, self.border))

    def forward(self, images: Tensor) -> Tensor:
        """Return class logits [N, K, H, W]."""
        return self.classifier(self._features(images))

    def forward_instances(self, images: Tensor) -> dict[str, Tensor]:
        """Return "main" [N, K, H, W] and "border" [N, 1, H, W]."""
        features = self._features(images)
        return {MAIN: self.classifier(features), "border": self.border(features)}

    def forward_train(self, images: Tensor) -> dict[str, Tensor]:
        """Return what `forward_instances` returns."""
        return self.forward_instances(images)

    def _features(self, images: Tensor) -> Tensor:
        """Return what both heads read, [N, filters, H, W]."""
        self.check_size(images)
        stem = self.encoder.stem(images)  # [N, 64, H / 2, W / 2]
        _, e2, e3, e4, e5 = self.encoder.stages(stem)  # strides 4, 8, 16, 32
        x = self.center(F.max_pool2d(e5, 2), e5.shape[-2:])  # [N, 8 f, H / 32, W / 32]
        x = self.decoder5(torch.cat((x, e5), 1), e4.shape[-2:])
        x = self.decoder4(torch.cat((x, e4), 1), e3.shape[-2:])
        x = self.decoder3(torch.cat((x, e3), 1), e2.shape[-2:])
        x = self.decoder2(torch.cat((x, e2), 1), stem.shape[-2:])
        return self.decoder1(torch.cat((x, stem), 1), images.shape[-2:])


def _register(
    name: str, encoder: str, filters: int, title: str, parameters: int, gmacs: float
) -> None:
    card = NetworkCard(
        title=title,
        paper=(
            "Iglovikov, Seferbekov, Buslaev, Shvets: TernausNetV2: Fully Convolutional Network "
            "for Instance Segmentation, CVPR Workshops 2018"
        ),
        url="https://arxiv.org/abs/1806.00844",
        structure=(
            f"The authors' decoder, of {filters} filters (the paper's: 32), and a channel of "
            "touching borders beside the classes, on a ResNet where the paper has WideResNet-38. "
            "Counted with the borders; logits at full resolution."
        ),
        parameters=parameters,
        gmacs=gmacs,
    )
    NETWORKS.add(name, NetworkEntry(partial(TernausNetV2, encoder=encoder, filters=filters), card))


_register("ternausnet-v2", "resnet34", 32, "TernausNetV2 (ResNet-34)", 27_574_292, 394.84)
_register("ternausnet-v2-resnet18", "resnet18", 16, "TernausNetV2 (ResNet-18)", 13_519_540, 161.33)
