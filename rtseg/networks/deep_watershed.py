"""Deep Watershed Transform: directions away from an object's edge, then how deep inside it is.

Bai, Urtasun: Deep Watershed Transform for Instance Segmentation, CVPR 2017,
https://arxiv.org/abs/1611.08303.

The direction network sees the picture through its semantic segmentation and tells, for each pixel,
the unit vector away from the nearest edge of its object (section 3.2); the watershed transform
network makes the energy of those vectors, in 16 levels, of which the lowest is the object's edge
(section 3.3). Cut at a level, the connected parts of a class are its objects:
`rtseg.instances.deep_watershed`. From the paper and the authors' code: three maps of strides 4, 8
and 16, each through a 5x5 and two 1x1 convolutions, meet at stride 4 and go through three 1x1
convolutions; the energy comes from six 5x5 and two 1x1 convolutions and has stride 4.

Departures. Here is one network with a ResNet-18 that the classes and the directions share, where
the paper has PSPNet for the classes and a VGG-16 of its own for the directions, which alone has
14.7 M parameters; so what is gated is the encoder's maps instead of the picture, the gate stands
beside them as one more channel as it does beside the picture there, and it is learned from the
class probabilities, as which classes are counted is not known to a network. The classes come from
a pyramid of 64 channels in the manner of FPN. Both instance networks have a quarter of the paper's
widths and batch normalisation. The energy is made at stride 4 throughout, with atrous rates 1, 1,
2, 2, 4, 4 for the paper's two poolings behind full resolution.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from rtseg.networks.encoders import ENCODERS
from rtseg.networks.layers import ConvBN, initialise, resize
from rtseg.networks.network import (
    MAIN,
    NETWORKS,
    NetworkCard,
    NetworkEntry,
    SegmentationNetwork,
    TrainingHead,
)

ENERGY_LEVELS = 16
STRIDES = (4, 8, 16)
"""Strides of the maps that directions are made from."""


class ClassPyramid(nn.Module):
    """The encoder's maps from coarse to fine, each projected and added to the one before."""

    def __init__(self, channels: tuple[int, ...], width: int, num_classes: int) -> None:
        super().__init__()
        self.project = nn.ModuleList(ConvBN(each, width, 1) for each in channels)
        self.smooth = ConvBN(width, width)
        self.classifier = nn.Conv2d(width, num_classes, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return logits [N, K, h, w] of the first map's size; `maps` go from fine to coarse."""
        total = self.project[-1](maps[-1])
        for project, each in zip(list(self.project)[-2::-1], maps[-2::-1], strict=True):
            total = project(each) + resize(total, each.shape[-2:])
        return self.classifier(self.smooth(total))


class DirectionNet(nn.Module):
    """Unit vectors from gated maps of three strides (section 3.2)."""

    def __init__(self, channels: tuple[int, ...], num_classes: int, width: int) -> None:
        super().__init__()
        self.gate = nn.Conv2d(num_classes, 1, 1)
        self.branches = nn.ModuleList(
            nn.Sequential(
                ConvBN(each + 1, 2 * width, 5),
                ConvBN(2 * width, 2 * width, 1),
                ConvBN(2 * width, width, 1),
            )
            for each in channels
        )
        self.fuse = nn.Sequential(ConvBN(3 * width, 2 * width, 1), ConvBN(2 * width, 2 * width, 1))
        self.vectors = nn.Conv2d(2 * width, 2, 1)

    def forward(self, maps: list[Tensor], logits: Tensor) -> Tensor:
        """Return vectors [N, 2, h, w], x to the right and y down, of the first map's size."""
        # Directions learn from the classes and don't change them, as where these are given.
        gate = torch.sigmoid(self.gate(logits.detach().softmax(1)))  # [N, 1, h, w]
        hw = maps[0].shape[-2:]
        gathered = []
        for branch, each in zip(self.branches, maps, strict=True):
            here = resize(gate, each.shape[-2:])
            gathered.append(resize(branch(torch.cat((each * here, here), 1)), hw))
        vectors = self.vectors(self.fuse(torch.cat(gathered, 1)))
        return vectors * (vectors.square().sum(1, keepdim=True) + 1e-6).rsqrt()


class WatershedNet(nn.Sequential):
    """Energy levels from directions (section 3.3): 5x5 convolutions, then two 1x1."""

    def __init__(self, width: int) -> None:
        wide = 2 * width
        super().__init__(
            ConvBN(2, width, 5),
            ConvBN(width, wide, 5),
            ConvBN(wide, wide, 5, rate=2),
            ConvBN(wide, wide, 5, rate=2),
            ConvBN(wide, wide, 5, rate=4),
            ConvBN(wide, wide, 5, rate=4),
            ConvBN(wide, wide, 1),
            nn.Conv2d(wide, ENERGY_LEVELS, 1),
        )


class DeepWatershed(SegmentationNetwork):
    """Classes, directions and energy at stride 4.

    Args:
        num_classes: K.
        encoder: ``"resnet18"`` or another with maps of strides 4 to 32.
        width: channels of the class pyramid, and of the branches of the direction network.
        watershed_width: channels of the first layer of the watershed transform network.
    """

    instance_modules: ClassVar[tuple[str, ...]] = ("direction", "watershed")

    def __init__(
        self,
        num_classes: int,
        encoder: str = "resnet18",
        width: int = 64,
        watershed_width: int = 16,
    ) -> None:
        super().__init__(num_classes)
        self.encoder = ENCODERS[encoder](32)
        self._places = tuple(self.encoder.map_of_stride(stride) for stride in (*STRIDES, 32))
        channels = tuple(self.encoder.channels[place] for place in self._places)
        self.classes = ClassPyramid(channels, width, num_classes)
        self.direction = DirectionNet(channels[:-1], num_classes, width)
        self.watershed = WatershedNet(watershed_width)
        self.heads = {
            MAIN: TrainingHead(1.0),
            "direction": TrainingHead(1.0, target="direction"),
            "energy": TrainingHead(1.0, target="energy"),
        }
        initialise(self, classifiers=(self.classes.classifier, self.watershed[-1]))

    def forward(self, images: Tensor) -> Tensor:
        """Return class logits [N, K, ceil(H / 4), ceil(W / 4)]."""
        return self.classes(self._maps(images))

    def forward_instances(self, images: Tensor) -> dict[str, Tensor]:
        """Return "main", "direction" [N, 2, h, w] and "energy" [N, 16, h, w], all at stride 4."""
        maps = self._maps(images)
        logits = self.classes(maps)
        direction = self.direction(maps[:-1], logits)
        return {MAIN: logits, "direction": direction, "energy": self.watershed(direction)}

    def forward_train(self, images: Tensor) -> dict[str, Tensor]:
        """Return what `forward_instances` returns."""
        return self.forward_instances(images)

    def _maps(self, images: Tensor) -> list[Tensor]:
        """Return the encoder's maps of strides 4, 8, 16 and 32."""
        self.check_size(images)
        maps = self.encoder(images)
        return [maps[place] for place in self._places]


NETWORKS.add(
    "deep-watershed",
    NetworkEntry(
        partial(DeepWatershed, encoder="resnet18"),
        NetworkCard(
            title="Deep Watershed Transform (ResNet-18)",
            paper="Bai, Urtasun: Deep Watershed Transform for Instance Segmentation, CVPR 2017",
            url="https://arxiv.org/abs/1611.08303",
            structure=(
                "Direction and watershed transform networks of the paper's layers, a quarter as "
                "wide, on a ResNet-18 shared with a pyramid for the classes, where the paper has "
                "PSPNet and a VGG-16. Counted with the maps of objects; logits at stride 4."
            ),
            parameters=12_955_257,
            gmacs=154.36,
        ),
    ),
)
