"""RefineNet and Light-Weight RefineNet: coarse maps, refined stage by stage with finer ones.

Lin, Milan, Shen, Reid: RefineNet: Multi-Path Refinement Networks for High-Resolution Semantic
Segmentation, CVPR 2017, https://arxiv.org/abs/1611.06612. Nekrasov, Shen, Reid: Light-Weight
RefineNet for Real-Time Semantic Segmentation, BMVC 2018, https://arxiv.org/abs/1810.03272.

Four cascaded blocks take the encoder's maps of stride 32, 16, 8 and 4. Each block adapts its map
with two residual convolution units, adds what the coarser block made, resized, gathers context in
a chain of 5x5 max poolings, and ends in further residual units. The light-weight network leaves
the residual units out and makes every 3x3 convolution a 1x1.

Where the paper and the released networks differ, this follows the released ones, whose 118 M
parameters are the ones that are quoted: four poolings in the chain (the paper's text has two),
three residual units at the end of each block (the paper: one, and three in the last block), a
projection to 512 or 256 channels before each block, dropout of 0.5 on the two coarsest maps.
The light-weight MobileNetV2 takes every stage of its encoder, two at stride 16 and two at 32.

Departures: resizing aligns pixel centres, not corners; MobileNetV2's refinement has ReLU where the
released one has ReLU6; RefineNet on ResNet-18, which the paper doesn't have, is half as wide. There
is no normalisation behind the encoder, so that residual branches and chained poolings, whose sums
would grow from block to block, are multiplied by a constant of their own. The weights could hold it
as well, and what the network can compute is the same, but without it a training from drawn weights
needs a learning rate of a third; the authors start from ImageNet instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rtseg.networks.encoders import ENCODERS, Encoder
from rtseg.networks.encoders.mobilenet_v2 import MobileNetV2
from rtseg.networks.layers import initialise, resize
from rtseg.networks.network import NETWORKS, NetworkCard, NetworkEntry, SegmentationNetwork

STRIDES = (32, 16, 8, 4)
"""Strides of the blocks in the order in which they work."""
RESIDUAL_SCALE = 0.1
"""Factor of what a residual convolution unit adds to its map."""
POOLING_SCALE = 0.25
"""Factor of each convolution behind a pooling: a maximum of 25 is far larger than one of them."""


class ResidualConvUnit(nn.Module):
    """Two 3x3 convolutions, each behind a ReLU, and a shortcut (section 3.2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return a map like `x`."""
        return x + RESIDUAL_SCALE * self.conv2(F.relu(self.conv1(F.relu(x))))


class ChainedResidualPooling(nn.Module):
    """ReLU, then poolings 5x5 one behind the other, each with a convolution, all added up.

    Args:
        channels: of the map.
        kernel: of the convolutions, 3 or 1.
        length: how many poolings.
    """

    def __init__(self, channels: int, kernel: int, length: int = 4) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(5, stride=1, padding=2)
        self.convs = nn.ModuleList(_conv(channels, channels, kernel) for _ in range(length))

    def forward(self, x: Tensor) -> Tensor:
        """Return a map like `x`."""
        path = total = F.relu(x)
        for conv in self.convs:
            path = POOLING_SCALE * conv(self.pool(path))
            total = total + path
        return total


class RefineBlock(nn.Module):
    """One block: adapt the own map, fuse with the coarser block's, pool, refine (section 3.2).

    Args:
        in_channels: of the encoder's map.
        channels: inside the block.
        coarse_channels: of the coarser block's output; 0 for the first block, which has none.
    """

    def __init__(self, in_channels: int, channels: int, coarse_channels: int) -> None:
        super().__init__()
        self.project = _conv(in_channels, channels, 3)
        self.adapt = nn.Sequential(ResidualConvUnit(channels), ResidualConvUnit(channels))
        if coarse_channels:
            self.fuse_fine = _conv(channels, channels, 3)
            self.fuse_coarse = _conv(coarse_channels, channels, 3)
        self.pooling = ChainedResidualPooling(channels, 3)
        self.refine = nn.Sequential(*(ResidualConvUnit(channels) for _ in range(3)))

    def forward(self, fine: Tensor, coarse: Tensor | None = None) -> Tensor:
        """Return [N, channels, h, w] of the encoder's map `fine` [N, in, h, w]."""
        x = self.adapt(self.project(fine))
        if coarse is not None:
            x = self.fuse_fine(x) + resize(self.fuse_coarse(coarse), x.shape[-2:])
        return self.refine(self.pooling(x))


class LightWeightBlock(nn.Module):
    """One block without residual units, of 1x1 convolutions.

    Args:
        in_channels: of each of the encoder's maps that the block takes; all have one stride.
        channels: inside the block.
        coarse_channels: of the coarser block's output; 0 for the first block, which has none.
        has_fusion: whether the own map is projected once more before the sum.
    """

    def __init__(
        self, in_channels: Sequence[int], channels: int, coarse_channels: int, has_fusion: bool
    ) -> None:
        super().__init__()
        self.projects = nn.ModuleList(_conv(each, channels, 1) for each in in_channels)
        self.fuse_fine = _conv(channels, channels, 1) if has_fusion else nn.Identity()
        if coarse_channels:
            self.fuse_coarse = _conv(coarse_channels, channels, 1)
        self.pooling = ChainedResidualPooling(channels, 1)

    def forward(self, fine: Sequence[Tensor], coarse: Tensor | None = None) -> Tensor:
        """Return [N, channels, h, w] of the encoder's maps `fine`, each [N, in, h, w]."""
        projected = [project(each) for project, each in zip(self.projects, fine, strict=True)]
        x = self.fuse_fine(sum(projected[1:], projected[0]))
        if coarse is not None:
            x = x + resize(self.fuse_coarse(coarse), x.shape[-2:])
        return self.pooling(x)


class RefineNet(SegmentationNetwork):
    """RefineNet with four blocks; logits at stride 4, of any picture size.

    Args:
        num_classes: K.
        encoder: a name in `ENCODERS`.
        channels: of the blocks, from stride 32 to 4.
    """

    min_size: ClassVar[int] = 32

    def __init__(
        self, num_classes: int, encoder: str, channels: Sequence[int] = (512, 256, 256, 256)
    ) -> None:
        super().__init__(num_classes)
        self.encoder = ENCODERS[encoder](32)
        self._maps = [self.encoder.map_of_stride(stride) for stride in STRIDES]
        inputs = [self.encoder.channels[index] for index in self._maps]
        self.dropout = nn.Dropout(0.5)
        self.blocks = nn.ModuleList(
            RefineBlock(*each) for each in zip(inputs, channels, (0, *channels), strict=False)
        )
        self.classifier = nn.Conv2d(channels[-1], num_classes, 3, padding=1)
        _initialise(self, self.blocks, self.classifier)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K, H / 4, W / 4] (rounded up)."""
        self.check_size(images)
        maps = self.encoder(images)
        x = None
        for number, (index, block) in enumerate(zip(self._maps, self.blocks, strict=True)):
            fine = self.dropout(maps[index]) if number < 2 else maps[index]
            x = block(fine, x)
        return self.classifier(x)


class LightWeightRefineNet(SegmentationNetwork):
    """Light-Weight RefineNet; logits at stride 4, of any picture size.

    Args:
        num_classes: K.
        encoder: ``"mobilenet-v2"``, of which every stage is used and whose blocks have 256
            channels, or a ResNet's name, whose first block has 512.
    """

    min_size: ClassVar[int] = 32

    def __init__(self, num_classes: int, encoder: str) -> None:
        super().__init__(num_classes)
        is_residual = encoder != "mobilenet-v2"
        self.encoder: Encoder = (
            ENCODERS[encoder](32) if is_residual else MobileNetV2(32, every_stage=True)
        )
        self._maps = [self._maps_of_stride(stride, is_residual) for stride in STRIDES]
        widths = (512 if is_residual else 256, 256, 256, 256)
        self.dropout = nn.Dropout(0.5 if is_residual else 0.0)
        self.blocks = nn.ModuleList(
            LightWeightBlock(
                [self.encoder.channels[index] for index in self._maps[number]],
                widths[number],
                widths[number - 1] if number else 0,
                has_fusion=is_residual and number > 0,
            )
            for number in range(4)
        )
        self.classifier = nn.Conv2d(256, num_classes, 3, padding=1)
        _initialise(self, self.blocks, self.classifier)

    def _maps_of_stride(self, stride: int, last_alone: bool) -> list[int]:
        if last_alone:
            return [self.encoder.map_of_stride(stride)]
        return [index for index, each in enumerate(self.encoder.strides) if each == stride]

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K, H / 4, W / 4] (rounded up)."""
        self.check_size(images)
        maps = self.encoder(images)
        x = None
        for number, (indices, block) in enumerate(zip(self._maps, self.blocks, strict=True)):
            fine = [maps[index] for index in indices]
            x = block([self.dropout(each) for each in fine] if number < 2 else fine, x)
        return self.classifier(x)


def _conv(in_channels: int, out_channels: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)


@torch.no_grad()
def _initialise(network: nn.Module, blocks: nn.Module, classifier: nn.Conv2d) -> None:
    """Draw weights under which a map has about the same size before and behind every block."""
    initialise(network, classifiers=(classifier,))
    if classifier.weight.is_meta:
        return
    classifier.weight.mul_(0.25)  # for its maps are not normalised
    for module in blocks.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
    for module in blocks.modules():
        if isinstance(module, ResidualConvUnit):
            module.conv1.weight.mul_(2**0.5)  # half of what the ReLU before it lets through


def _register(
    build: partial[RefineNet] | partial[LightWeightRefineNet],
    title: str,
    structure: str,
    parameters: int,
    gmacs: float,
) -> None:
    is_light = build.func is LightWeightRefineNet
    version = "Light-Weight RefineNet" if is_light else "RefineNet"
    paper, url = PAPERS[version]
    card = NetworkCard(
        title=f"{version} ({title})",
        paper=paper,
        url=url,
        structure=structure,
        parameters=parameters,
        gmacs=gmacs,
    )
    name = f"{'lw-' if is_light else ''}refinenet-{build.keywords['encoder']}"
    NETWORKS.add(name, NetworkEntry(build, card))


PAPERS = {
    "RefineNet": (
        "Lin, Milan, Shen, Reid: RefineNet: Multi-Path Refinement Networks for High-Resolution "
        "Semantic Segmentation, CVPR 2017",
        "https://arxiv.org/abs/1611.06612",
    ),
    "Light-Weight RefineNet": (
        "Nekrasov, Shen, Reid: Light-Weight RefineNet for Real-Time Semantic Segmentation, "
        "BMVC 2018",
        "https://arxiv.org/abs/1810.03272",
    ),
}

FULL = (
    "Four cascaded blocks of residual units, fusion and four chained 5x5 poolings, {} channels, as "
    "in the released networks. Logits at stride 4."
)
LIGHT = (
    "Four cascaded blocks of fusion and four chained 5x5 poolings, 1x1 convolutions without "
    "residual units, {}. Logits at stride 4."
)
WIDE = LIGHT.format("512 and 256 channels")

_register(
    partial(RefineNet, encoder="resnet18", channels=(256, 128, 128, 128)),
    "ResNet-18",
    FULL.format("256 and 128 (half of the paper's, whose encoders are deeper)"),
    28_380_243,
    502.06,
)
_register(
    partial(RefineNet, encoder="resnet50"),
    "ResNet-50",
    FULL.format("512 and 256"),
    99_055_699,
    1947.43,
)
_register(
    partial(RefineNet, encoder="resnet101"),
    "ResNet-101",
    FULL.format("512 and 256"),
    118_047_827,
    2102.59,
)
_register(partial(LightWeightRefineNet, encoder="resnet18"), "ResNet-18", WIDE, 13_890_899, 147.30)
_register(partial(LightWeightRefineNet, encoder="resnet50"), "ResNet-50", WIDE, 27_352_915, 255.22)
_register(
    partial(LightWeightRefineNet, encoder="resnet101"), "ResNet-101", WIDE, 46_345_043, 410.37
)
_register(
    partial(LightWeightRefineNet, encoder="mobilenet-v2"),
    "MobileNetV2",
    LIGHT.format("256 channels, on all stages of the encoder from stride 4 on"),
    3_278_867,
    67.53,
)
