"""FPN for segmentation: the feature pyramid and the semantic branch of Panoptic FPN.

Kirillov, Girshick, He, Dollár: Panoptic Feature Pyramid Networks, CVPR 2019,
https://arxiv.org/abs/1901.02446, section 3.1 and figure 3. The pyramid is that of Lin, Dollár,
Girshick, He, Hariharan, Belongie: Feature Pyramid Networks for Object Detection, CVPR 2017,
https://arxiv.org/abs/1612.03144, section 3.

The encoder's maps of stride 4 to 32 become 256 channels by 1x1 convolutions; from the coarsest on,
each is doubled by repetition and added to the next; a 3x3 convolution on each sum gives P2 to P5.
In the semantic branch every level is brought to stride 4 in steps of 3x3 convolution to 128
channels, group normalisation, ReLU and bilinear doubling (one step without doubling for P2); the
levels are added and classified by a 1x1 convolution.

Where re-implementations differ, this follows the papers: the popular one of 26.1 M parameters with
ResNet-50 has no 3x3 convolutions that make P2 to P5, which are 2.4 M.

Departures: no level is needed beyond P5, so there is none; for odd sizes a doubled map is cut to
the finer one's size.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from rtseg.networks.encoders import ENCODERS, Encoder
from rtseg.networks.layers import cut, initialise, resize
from rtseg.networks.network import NETWORKS, NetworkCard, NetworkEntry, SegmentationNetwork
from rtseg.networks.upsampling import Nearest

STRIDES = (4, 8, 16, 32)
"""Strides of P2 to P5."""


class FeaturePyramid(nn.Module):
    """The top-down pathway with lateral connections; all levels have `channels` channels."""

    def __init__(self, encoder: Encoder, channels: int = 256) -> None:
        super().__init__()
        self.levels = tuple(encoder.map_of_stride(stride) for stride in STRIDES)
        inputs = [encoder.channels[index] for index in self.levels]
        self.laterals = nn.ModuleList(nn.Conv2d(each, channels, 1) for each in inputs)
        self.outputs = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in inputs)
        self.repeat = Nearest(channels, 2)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Return P2 to P5 [N, channels, H / 4, W / 4] … [N, channels, H / 32, W / 32]."""
        levels = [
            lateral(maps[index]) for lateral, index in zip(self.laterals, self.levels, strict=True)
        ]
        for fine, coarse in reversed(list(pairwise(range(len(levels))))):
            repeated = self.repeat(levels[coarse])
            levels[fine] = levels[fine] + cut(repeated, levels[fine].shape[-2:])
        return [conv(level) for conv, level in zip(self.outputs, levels, strict=True)]


class Step(nn.Sequential):
    """3x3 convolution, group normalisation of 32 groups, ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.GroupNorm(32, out_channels),
            nn.ReLU(inplace=True),
        )


class SemanticBranch(nn.Module):
    """Brings every level to the finest one's size in steps of 2 and adds them up."""

    def __init__(self, in_channels: int = 256, channels: int = 128) -> None:
        super().__init__()
        self.levels = nn.ModuleList()
        for level in range(len(STRIDES)):
            inputs = (in_channels, *(channels,) * (level - 1))
            self.levels.append(nn.Sequential(*(Step(each, channels) for each in inputs)))

    def forward(self, levels: list[Tensor]) -> Tensor:
        """Return [N, channels, H / 4, W / 4]."""
        total = self.levels[0](levels[0])
        for number in range(1, len(levels)):
            x = levels[number]
            for count, step in enumerate(self.levels[number].children(), start=1):
                x = _doubled(step(x), levels[number - count].shape[-2:])
            total = total + x
        return total


class SemanticFPN(SegmentationNetwork):
    """The semantic half of Panoptic FPN; logits at stride 4, of any picture size.

    Args:
        num_classes: K.
        encoder: a name in `ENCODERS`.
    """

    min_size: ClassVar[int] = 32

    def __init__(self, num_classes: int, encoder: str) -> None:
        super().__init__(num_classes)
        self.encoder = ENCODERS[encoder](32)
        self.pyramid = FeaturePyramid(self.encoder)
        self.branch = SemanticBranch()
        self.classifier = nn.Conv2d(128, num_classes, 1)
        initialise(self, classifiers=(self.classifier,))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K, H / 4, W / 4] (rounded up)."""
        self.check_size(images)
        return self.classifier(self.branch(self.pyramid(self.encoder(images))))


def _doubled(maps: Tensor, hw: tuple[int, ...]) -> Tensor:
    """Double bilinearly, then cut to `hw`: stretched, an odd map would slide off its place."""
    return cut(resize(maps, [2 * size for size in maps.shape[-2:]]), hw)


def _register(encoder: str, title: str, parameters: int, gmacs: float) -> None:
    card = NetworkCard(
        title=f"FPN ({title})",
        paper="Kirillov, Girshick, He, Dollár: Panoptic Feature Pyramid Networks, CVPR 2019",
        url="https://arxiv.org/abs/1901.02446",
        structure=(
            "Feature pyramid of 256 channels and the semantic branch of 128 with group "
            "normalisation. With the 3x3 convolutions behind the pyramid's sums, as in the paper; "
            "a re-implementation with 26.1 M parameters on ResNet-50 lacks them. Logits at "
            "stride 4."
        ),
        parameters=parameters,
        gmacs=gmacs,
    )
    NETWORKS.add(f"fpn-{encoder}", NetworkEntry(partial(SemanticFPN, encoder=encoder), card))


_register("resnet18", "ResNet-18", 15_409_875, 245.03)
_register("resnet50", "ResNet-50", 28_478_675, 352.14)
_register("resnet101", "ResNet-101", 47_470_803, 507.29)
