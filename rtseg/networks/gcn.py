"""GCN, the Global Convolutional Network: large kernels that classify, blocks that mend boundaries.

Peng, Zhang, Yu, Luo, Sun: Large Kernel Matters: Improve Semantic Segmentation by Global
Convolutional Network, CVPR 2017, https://arxiv.org/abs/1703.02719.

Each of the encoder's maps of stride 4, 8, 16 and 32 becomes K score maps by a k x k kernel that is
made of two branches, k x 1 then 1 x k and 1 x k then k x 1, without an activation between
(section 3.1); boundary refinement, a residual block of two 3x3 convolutions, follows (section 3.2).
From the coarsest on, score maps are doubled by a transposed convolution, added to the finer ones
and refined again, up to the resolution of the picture.

Where re-implementations differ, this follows the paper: k is 15 (a popular one has 7) and scores
are doubled by transposed convolutions, which start as bilinear ones (a popular one resizes).

Departures: k is 15 whatever the size of the picture, where the paper chose it to cover the whole of
its coarsest map; ResNets are as in classification, where the paper's final network has a ResNet-152
and a ResNet-GCN with large kernels inside; ResNet-18 isn't the paper's. For odd sizes the doubled
map is cut to the finer one's size.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rtseg.networks.encoders import ENCODERS
from rtseg.networks.layers import cut, initialise
from rtseg.networks.network import NETWORKS, NetworkCard, NetworkEntry, SegmentationNetwork
from rtseg.networks.upsampling import TransposedConvolution

KERNEL = 15
"""k of the paper's final network (section 4.1)."""
STRIDES = (32, 16, 8, 4)
"""Strides of the encoder's maps in the order in which they are used."""


class GlobalConv(nn.Module):
    """A dense k x k convolution to K maps in two separable branches, which are added."""

    def __init__(self, in_channels: int, num_classes: int, kernel: int) -> None:
        super().__init__()
        tall, wide = _tall_and_wide(kernel)
        self.tall_wide = nn.Sequential(
            nn.Conv2d(in_channels, num_classes, *tall), nn.Conv2d(num_classes, num_classes, *wide)
        )
        self.wide_tall = nn.Sequential(
            nn.Conv2d(in_channels, num_classes, *wide), nn.Conv2d(num_classes, num_classes, *tall)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, K, h, w]."""
        return self.tall_wide(x) + self.wide_tall(x)


def _tall_and_wide(kernel: int) -> tuple[tuple[tuple[int, int], int, tuple[int, int]], ...]:
    """Return kernel, stride and padding of the k x 1 and of the 1 x k convolution."""
    half = kernel // 2
    return ((kernel, 1), 1, (half, 0)), ((1, kernel), 1, (0, half))


class BoundaryRefinement(nn.Module):
    """What two 3x3 convolutions with a ReLU between make of score maps is added to them."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_classes, num_classes, 3, padding=1)
        self.conv2 = nn.Conv2d(num_classes, num_classes, 3, padding=1)

    def forward(self, scores: Tensor) -> Tensor:
        """Return a map like `scores`."""
        return scores + self.conv2(F.relu(self.conv1(scores)))


class GCN(SegmentationNetwork):
    """The Global Convolutional Network; logits at full resolution, of any picture size.

    Args:
        num_classes: K.
        encoder: a ResNet in `ENCODERS`.
        kernel: k, odd.
    """

    min_size: ClassVar[int] = 32

    def __init__(self, num_classes: int, encoder: str, kernel: int = KERNEL) -> None:
        super().__init__(num_classes)
        self.encoder = ENCODERS[encoder](32)
        self._maps = [self.encoder.map_of_stride(stride) for stride in STRIDES]
        self.scores = nn.ModuleList(
            nn.Sequential(
                GlobalConv(self.encoder.channels[index], num_classes, kernel),
                BoundaryRefinement(num_classes),
            )
            for index in self._maps
        )
        self.doublings = nn.ModuleList(TransposedConvolution(num_classes, 2) for _ in range(5))
        self.refinements = nn.ModuleList(BoundaryRefinement(num_classes) for _ in range(5))
        self._initialise()

    @torch.no_grad()
    def _initialise(self) -> None:
        """Let every sum start with what it already has: all of these maps are logits, and small."""
        initialise(self)
        if next(self.parameters()).is_meta:
            return
        for module in self.modules():
            if isinstance(module, GlobalConv):
                for branch in (module.tall_wide, module.wide_tall):
                    first, second = (each for each in branch.parameters() if each.ndim > 1)
                    nn.init.kaiming_normal_(first, nonlinearity="linear")
                    nn.init.kaiming_normal_(second, nonlinearity="linear").mul_(0.1)
            elif isinstance(module, BoundaryRefinement):
                module.conv2.weight.mul_(0.1)
            elif isinstance(module, TransposedConvolution):
                module.initialise_bilinear()

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K, H, W]."""
        self.check_size(images)
        maps = self.encoder(images)
        coarse, *finer = (
            score(maps[index]) for score, index in zip(self.scores, self._maps, strict=True)
        )
        steps = zip(self.doublings[:3], self.refinements[:3], finer, strict=True)
        for double, refine, fine in steps:  # to [N, K, H / 16, W / 16], H / 8, H / 4
            coarse = refine(cut(double(coarse), fine.shape[-2:]) + fine)
        for double, refine in zip(self.doublings[3:], self.refinements[3:], strict=True):
            coarse = refine(double(coarse))  # to [N, K, H / 2, W / 2], H
        return cut(coarse, images.shape[-2:])


def _register(encoder: str, title: str, parameters: int, gmacs: float) -> None:
    card = NetworkCard(
        title=f"GCN ({title})",
        paper="Peng, Zhang, Yu, Luo, Sun: Large Kernel Matters: Improve Semantic Segmentation by "
        "Global Convolutional Network, CVPR 2017",
        url="https://arxiv.org/abs/1703.02719",
        structure=(
            "Global convolutions of k = 15 to score maps at strides 4 to 32, boundary refinement, "
            "transposed convolutions that start as bilinear ones. Logits at full resolution."
        ),
        parameters=parameters,
        gmacs=gmacs,
    )
    NETWORKS.add(f"gcn-{encoder}", NetworkEntry(partial(GCN, encoder=encoder), card))


_register("resnet18", "ResNet-18", 11_855_040, 109.97)
_register("resnet50", "ResNet-50", 25_828_160, 231.89)
_register("resnet101", "ResNet-101", 44_820_288, 387.04)
