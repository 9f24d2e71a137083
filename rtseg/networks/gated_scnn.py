"""Gated-SCNN: a shape stream beside the trunk, which sees boundaries alone, helps to classify.

Takikawa, Acuna, Jampani, Fidler: Gated-SCNN: Gated Shape CNNs for Semantic Segmentation, ICCV 2019,
https://arxiv.org/abs/1907.05740.

The shape stream starts from the trunk's first maps. Three times a residual block and a 1x1
convolution (64, 32, 16, 8 channels) are followed by a gated convolution, which lets a deeper stage
of the trunk, seen through one channel, say where boundaries matter (section 3.1). What comes out is
the boundary map, which is supervised; blended with the gradients of the picture it joins atrous
spatial pyramid pooling as one more branch, and a decoder refines with the trunk's maps of stride 4.
The paper's dual-task loss is `rtseg.training.losses.dual_task`; its other half, cross entropy where
the network itself sees a boundary, is the criterion's `boundary.aware_weight`.

Where paper and code differ, this follows the authors' code: batch normalisation in the gates, 1x1
convolutions in them, atrous rates 12, 24 and 36 at stride 8, a decoder as in DeepLabV3+.

Departures: the trunk is a ResNet at output stride 8 with DeepLabV3's multi-grid, where the paper
has a WideResNet-38; the gates see its stages 2, 3 and 4. The stem of a ResNet has stride 2, and so
has the shape stream, which in the paper runs at full resolution: four times the cost for maps that
have nothing more to tell. In place of Canny's edges there are Sobel's gradients, squashed to 0..1:
Canny's thresholds and line following can't be part of the graph. An auxiliary head on stage 3 that
only training sees. The 1x1 convolutions in front of a batch normalisation have no bias, which that
would cancel, and the class layer has one. In training, image pooling normalises one value per
channel and picture: a batch needs 2 pictures or more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rtseg.networks.encoders.resnet import BasicBlock, ResNet, resnet18, resnet50, resnet101
from rtseg.networks.layers import ConvBN, FCNHead, initialise, resize
from rtseg.networks.network import (
    MAIN,
    NETWORKS,
    NetworkCard,
    NetworkEntry,
    SegmentationNetwork,
    TrainingHead,
)

TRUNKS: Mapping[str, Callable[[int], ResNet]] = {
    "resnet18": resnet18,
    "resnet50": resnet50,
    "resnet101": resnet101,
}
"""Functions from the output stride to the trunk, by name."""
RATES = (12, 24, 36)
"""Atrous rates of the pyramid at stride 8."""


class GatedConv(nn.Module):
    """1x1 convolution of a map whose pixels a gate has made count once to twice (section 3.1).

    The gate is made of the map and of one more channel, which tells what the trunk sees there.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.BatchNorm2d(channels + 1),
            nn.Conv2d(channels + 1, channels + 1, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels + 1, 1, 1, bias=False),
            nn.BatchNorm2d(1),
            nn.Sigmoid(),
        )
        self.conv = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, shapes: Tensor, seen: Tensor) -> Tensor:
        """Return a map like `shapes` [N, C, h, w]; `seen` is [N, 1, h, w]."""
        gate = self.gate(torch.cat((shapes, seen), dim=1))  # [N, 1, h, w]
        return self.conv(shapes * (gate + 1))


class ShapeStream(nn.Module):
    """Three residual blocks, each with a reduction and a gated convolution; boundary logits.

    Args:
        trunk_channels: of the three maps of the trunk that open the gates.
    """

    CHANNELS = (64, 32, 16, 8)

    def __init__(self, trunk_channels: tuple[int, ...]) -> None:
        super().__init__()
        inputs, outputs = self.CHANNELS[:-1], self.CHANNELS[1:]
        self.views = nn.ModuleList(nn.Conv2d(each, 1, 1, bias=False) for each in trunk_channels)
        self.blocks = nn.ModuleList(BasicBlock(each, each, 1, (1, 1)) for each in inputs)
        self.reductions = nn.ModuleList(
            nn.Conv2d(*each, 1) for each in zip(inputs, outputs, strict=True)
        )
        self.gates = nn.ModuleList(GatedConv(each) for each in outputs)
        self.fuse = nn.Conv2d(outputs[-1], 1, 1, bias=False)

    def forward(self, stem: Tensor, trunk: list[Tensor]) -> Tensor:
        """Return logits [N, 1, h, w] of `stem` [N, 64, h, w] and the trunk's three maps."""
        x = stem
        steps = zip(self.blocks, self.reductions, self.gates, self.views, trunk, strict=True)
        for block, reduce, gate, view, maps in steps:
            x = gate(reduce(block(x)), resize(view(maps), x.shape[-2:]))
        return self.fuse(x)


class PictureGradient(nn.Module):
    """How strongly the brightness of a picture changes: Sobel's gradient, squashed to 0..1."""

    kernels: Tensor

    def __init__(self) -> None:
        super().__init__()
        across = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 8
        kernels = torch.stack((across, across.T)).unsqueeze(1)  # [2, 1, 3, 3]
        self.register_buffer("kernels", kernels, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return [N, 1, ceil(H / 2), ceil(W / 2)], the strongest of its surroundings each."""
        brightness = F.pad(images.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
        slopes = F.conv2d(brightness, self.kernels)  # [N, 2, H, W]
        strength = slopes.abs().sum(1, keepdim=True)
        return F.max_pool2d(strength / (strength + 0.25), 3, stride=2, padding=1)


class EdgeASPP(nn.Module):
    """1x1, three 3x3 at atrous rates, image pooling and the boundaries; then 1x1 (section 3.1)."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.pointwise = ConvBN(in_channels, 256, 1)
        self.atrous = nn.ModuleList(ConvBN(in_channels, 256, rate=rate) for rate in RATES)
        self.image_pooling = ConvBN(in_channels, 256, 1)
        self.edges = ConvBN(1, 256, 1)
        self.project = nn.Conv2d(256 * (3 + len(RATES)), 256, 1, bias=False)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        """Return [N, 256, h, w] of `x` [N, C, h, w] and of `edges` [N, 1, any size]."""
        pooled = self.image_pooling(x.mean((2, 3), keepdim=True)).expand(-1, -1, *x.shape[-2:])
        branches = [pooled, self.edges(resize(edges, x.shape[-2:])), self.pointwise(x)]
        branches += [conv(x) for conv in self.atrous]
        return self.project(torch.cat(branches, dim=1))


class GatedSCNN(SegmentationNetwork):
    """Gated-SCNN on a ResNet; class logits at stride 4, boundary logits at 2, any picture size.

    Args:
        num_classes: K.
        encoder: a name in `TRUNKS`.
    """

    min_size: ClassVar[int] = 32
    training_modules: ClassVar[tuple[str, ...]] = ("auxiliary_head",)

    def __init__(self, num_classes: int, encoder: str) -> None:
        super().__init__(num_classes)
        self.encoder = TRUNKS[encoder](8)
        channels = self.encoder.channels  # of the stem and the four stages
        self.shape_stream = ShapeStream(channels[2:])
        self.picture_gradient = PictureGradient()
        self.blend = nn.Conv2d(2, 1, 1, bias=False)
        self.aspp = EdgeASPP(channels[4])
        self.low_level_project = nn.Conv2d(channels[1], 48, 1, bias=False)
        self.decoder = nn.Sequential(ConvBN(256 + 48, 256), ConvBN(256, 256))
        self.classifier = nn.Conv2d(256, num_classes, 1)
        self.auxiliary_head = FCNHead(channels[3], num_classes)
        self.heads = {
            MAIN: TrainingHead(1.0),
            "auxiliary": TrainingHead(0.4),
            "boundary": TrainingHead(20.0, target="boundary"),
        }
        initialise(
            self, classifiers=(self.classifier, self.auxiliary_head[-1], self.shape_stream.fuse)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K, H / 4, W / 4] (rounded up)."""
        return self._classify(images)[0]

    def forward_train(self, images: Tensor) -> dict[str, Tensor]:
        """Return "main" at stride 4, "auxiliary" at 8 and "boundary" [N, 1, H / 2, W / 2]."""
        main, boundary, maps = self._classify(images)
        return {MAIN: main, "auxiliary": self.auxiliary_head(maps[3]), "boundary": boundary}

    def _classify(self, images: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Return the class logits, the boundary logits and the trunk's maps."""
        self.check_size(images)
        stem = self.encoder.stem(images)  # [N, 64, H / 2, W / 2]
        maps = self.encoder.stages(stem)
        boundary = self.shape_stream(stem, maps[2:])
        edges = torch.cat((boundary.sigmoid(), self.picture_gradient(images)), dim=1)
        high = self.aspp(maps[4], self.blend(edges).sigmoid())  # [N, 256, H / 8, W / 8]
        low = self.low_level_project(maps[1])  # [N, 48, H / 4, W / 4]
        features = self.decoder(torch.cat((low, resize(high, low.shape[-2:])), dim=1))
        return self.classifier(features), boundary, maps


def _register(encoder: str, title: str, parameters: int, gmacs: float) -> None:
    card = NetworkCard(
        title=f"Gated-SCNN ({title})",
        paper="Takikawa, Acuna, Jampani, Fidler: Gated-SCNN: Gated Shape CNNs for Semantic "
        "Segmentation, ICCV 2019",
        url="https://arxiv.org/abs/1907.05740",
        structure=(
            "Shape stream of three gated convolutions at stride 2 beside a ResNet at output stride "
            "8 (the paper: at full resolution, beside a WideResNet-38), its boundaries and the "
            "picture's gradients (the paper: Canny's edges) in ASPP, a DeepLabV3+ decoder with "
            "plain convolutions (a re-implementation of 39.5 M parameters on ResNet-50 has "
            "separable ones). Logits at stride 4."
        ),
        parameters=parameters,
        gmacs=gmacs,
    )
    name = f"gated-scnn-{encoder}"
    NETWORKS.add(name, NetworkEntry(partial(GatedSCNN, encoder=encoder), card))


_register("resnet18", "ResNet-18", 16_777_274, 742.06)
_register("resnet50", "ResNet-50", 40_523_962, 1516.45)
_register("resnet101", "ResNet-101", 59_516_090, 2137.07)
