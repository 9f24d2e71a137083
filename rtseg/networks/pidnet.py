"""PIDNet: a detail, a context and a boundary branch, fused like the parts of a PID controller.

Xu, Xiong, Bhattacharyya: "PIDNet: A Real-time Semantic Segmentation Network Inspired by PID
Controllers", CVPR 2023, https://arxiv.org/abs/2206.02066

P keeps details at 1/8, I gathers context down to 1/64, D looks for class boundaries at 1/8. P
takes from I where both agree (Pag, section 3.2), PAPPM gathers context (section 3.3), and Light-Bag
lets D decide, pixel by pixel, between P and I (section 3.4). Two heads exist in training alone:
P's classes after stage 3 and D's boundaries after stage 4.

Departures from the authors' code: maps are resized to the size of the map that they meet, so that
any size works; the two convolutions of the stem have no bias, which their batch normalisation
would cancel; the class layers start with small weights; the training heads read their maps as they
are, while there an in-place ReLU, meant for the next stage, clips them first.
In training, PAPPM normalises one value per channel and picture: a batch needs 2 pictures or more.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rtseg.networks.layers import ConvBN, initialise, resize
from rtseg.networks.network import (
    MAIN,
    NETWORKS,
    NetworkCard,
    NetworkEntry,
    SegmentationNetwork,
    TrainingHead,
)


class BNConv(nn.Module):
    """Batch normalisation, ReLU, then a convolution without bias."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, groups: int = 1) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel, padding=kernel // 2, groups=groups, bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, out, h, w]."""
        return self.conv(F.relu(self.norm(x)))


class BasicBlock(nn.Module):
    """Residual block of two 3x3 convolutions, without a ReLU at its end."""

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = ConvBN(in_channels, channels, stride=stride)
        self.conv2 = ConvBN(channels, channels, activation=None)
        self.shortcut = _shortcut(in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, channels, h / stride, w / stride], before its ReLU."""
        return self.conv2(self.conv1(x)) + self.shortcut(x)


class Bottleneck(nn.Module):
    """Residual block 1x1, 3x3, 1x1 to twice the channels, without a ReLU at its end."""

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.reduce = ConvBN(in_channels, channels, 1)
        self.conv = ConvBN(channels, channels, stride=stride)
        self.increase = ConvBN(channels, 2 * channels, 1, activation=None)
        self.shortcut = _shortcut(in_channels, 2 * channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, 2 * channels, h / stride, w / stride], before its ReLU."""
        return self.increase(self.conv(self.reduce(x))) + self.shortcut(x)


class Pag(nn.Module):
    """Pixel-attention-guided fusion (section 3.2): a blend of P and I, I where both agree."""

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.embed_detail = ConvBN(channels, embedding, 1, activation=None)
        self.embed_context = ConvBN(channels, embedding, 1, activation=None)

    def forward(self, detail: Tensor, context: Tensor) -> Tensor:
        """Return a map like `detail`; `context` has as many channels and any size."""
        agreement = self.embed_detail(detail) * resize(
            self.embed_context(context), detail.shape[-2:]
        )
        share = torch.sigmoid(agreement.sum(1, keepdim=True))  # [N, 1, h, w]
        return (1 - share) * detail + share * resize(context, detail.shape[-2:])


class PAPPM(nn.Module):
    """Parallel aggregation pyramid pooling (section 3.3): five scales, refined side by side."""

    POOLS = ((5, 2), (9, 4), (17, 8))
    """Kernel and stride of the pooled scales between the map itself and its mean."""

    def __init__(self, in_channels: int, channels: int, out_channels: int) -> None:
        super().__init__()
        num_pooled = len(self.POOLS) + 1
        self.scales = nn.ModuleList(BNConv(in_channels, channels, 1) for _ in range(num_pooled + 1))
        self.refine = BNConv(num_pooled * channels, num_pooled * channels, 3, groups=num_pooled)
        self.compress = BNConv((num_pooled + 1) * channels, out_channels, 1)
        self.shortcut = BNConv(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, out, h, w]."""
        pooled = [F.avg_pool2d(x, kernel, stride, kernel // 2) for kernel, stride in self.POOLS]
        pooled.append(x.mean((2, 3), keepdim=True))
        base = self.scales[0](x)
        maps = [
            resize(scale(level), x.shape[-2:]) + base
            for scale, level in zip(self.scales[1:], pooled, strict=True)
        ]
        refined = self.refine(torch.cat(maps, 1))
        return self.compress(torch.cat([base, refined], 1)) + self.shortcut(x)


class LightBag(nn.Module):
    """Boundary-attention-guided fusion (section 3.4): details at boundaries, context elsewhere."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.detail = ConvBN(channels, channels, 1, activation=None)
        self.context = ConvBN(channels, channels, 1, activation=None)

    def forward(self, detail: Tensor, context: Tensor, boundary: Tensor) -> Tensor:
        """Fuse three maps of one shape."""
        edge = torch.sigmoid(boundary)
        return self.detail(detail + (1 - edge) * context) + self.context(context + edge * detail)


class Head(nn.Module):
    """Normalise, 3x3 convolution, normalise, 1x1 convolution to the outputs."""

    def __init__(self, in_channels: int, channels: int, num_outputs: int) -> None:
        super().__init__()
        self.conv = BNConv(in_channels, channels, 3)
        self.norm = nn.BatchNorm2d(channels)
        self.classify = nn.Conv2d(channels, num_outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [N, outputs, h, w]."""
        return self.classify(F.relu(self.norm(self.conv(x))))


class PIDNet(SegmentationNetwork):
    """PIDNet-S (and, wider, -M) at an output stride of 8.

    Args:
        num_classes: K.
        width: channels of the stem (the paper's C); the branches at 1/8 have twice as many.
        detail_blocks: residual blocks per stage of the P branch and the first stages (m).
        context_blocks: residual blocks per later stage of the I branch (n).
        pyramid: channels of each scale of PAPPM.
        head: channels inside the class heads.
    """

    min_size: ClassVar[int] = 32
    training_modules: ClassVar[tuple[str, ...]] = ("head_detail", "head_boundary")

    def __init__(
        self,
        num_classes: int,
        width: int = 32,
        detail_blocks: int = 2,
        context_blocks: int = 3,
        pyramid: int = 96,
        head: int = 128,
    ) -> None:
        super().__init__(num_classes)
        high = 2 * width
        self.stem = nn.Sequential(ConvBN(3, width, stride=2), ConvBN(width, width, stride=2))
        self.layer1 = _stage(width, width, detail_blocks)
        self.layer2 = _stage(width, high, detail_blocks, stride=2)
        self.i3 = _stage(high, 4 * width, context_blocks, stride=2)
        self.i4 = _stage(4 * width, 8 * width, context_blocks, stride=2)
        self.i5 = nn.Sequential(
            Bottleneck(8 * width, 8 * width, stride=2), Bottleneck(16 * width, 8 * width)
        )
        self.p3 = _stage(high, high, detail_blocks)
        self.p4 = _stage(high, high, detail_blocks)
        self.p5 = Bottleneck(high, high)
        self.d3 = BasicBlock(high, width)
        self.d4 = Bottleneck(width, width)
        self.d5 = Bottleneck(high, high)
        self.compress3 = ConvBN(4 * width, high, 1, activation=None)
        self.compress4 = ConvBN(8 * width, high, 1, activation=None)
        self.pag3 = Pag(high, width)
        self.pag4 = Pag(high, width)
        self.diff3 = ConvBN(4 * width, width, activation=None)
        self.diff4 = ConvBN(8 * width, high, activation=None)
        self.context = PAPPM(16 * width, pyramid, 4 * width)
        self.bag = LightBag(4 * width)
        self.head = Head(4 * width, head, num_classes)
        self.head_detail = Head(high, head, num_classes)
        self.head_boundary = Head(high, width, 1)
        self.heads = {
            MAIN: TrainingHead(1.0),
            "detail": TrainingHead(0.4),
            "boundary": TrainingHead(20.0, target="boundary"),
        }
        initialise(
            self,
            classifiers=(
                self.head.classify,
                self.head_detail.classify,
                self.head_boundary.classify,
            ),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K, H/8, W/8] (rounded up) of `images` [N, 3, H, W]."""
        return self.head(self._features(images)[0])

    def forward_train(self, images: Tensor) -> dict[str, Tensor]:
        """Return "main", "detail" (P after stage 3) and "boundary" (D after stage 4), at 1/8."""
        features, detail, boundary = self._features(images)
        return {
            MAIN: self.head(features),
            "detail": self.head_detail(detail),
            "boundary": self.head_boundary(boundary),
        }

    def _features(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what the main, the detail and the boundary head read, at 1/8."""
        self.check_size(images)
        shared = F.relu(self.layer2(F.relu(self.layer1(self.stem(images)))))  # [N, 2w, H/8, W/8]
        context = F.relu(self.i3(shared))  # [N, 4w, H/16, W/16]
        detail = self.p3(shared)
        detail = self.pag3(detail, self.compress3(context))  # [N, 2w, H/8, W/8]
        boundary = self.d3(shared)
        boundary = boundary + resize(self.diff3(context), boundary.shape[-2:])  # [N, w, H/8, W/8]
        detail_after_3 = detail

        context = F.relu(self.i4(context))  # [N, 8w, H/32, W/32]
        detail = self.pag4(self.p4(F.relu(detail)), self.compress4(context))
        boundary = self.d4(F.relu(boundary))
        boundary = boundary + resize(self.diff4(context), boundary.shape[-2:])  # [N, 2w, H/8, W/8]
        boundary_after_4 = boundary

        detail = self.p5(F.relu(detail))  # [N, 4w, H/8, W/8]
        boundary = self.d5(F.relu(boundary))  # [N, 4w, H/8, W/8]
        context = resize(self.context(self.i5(context)), detail.shape[-2:])  # [N, 4w, H/8, W/8]
        return self.bag(detail, context, boundary), detail_after_3, boundary_after_4


def _stage(in_channels: int, channels: int, blocks: int, stride: int = 1) -> nn.Sequential:
    """Return basic blocks with ReLUs between them and none at the end."""
    layers: list[nn.Module] = [BasicBlock(in_channels, channels, stride)]
    for _ in range(blocks - 1):
        layers += [nn.ReLU(), BasicBlock(channels, channels)]
    return nn.Sequential(*layers)


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return ConvBN(in_channels, out_channels, 1, stride=stride, activation=None)


NETWORKS.add(
    "pidnet-s",
    NetworkEntry(
        partial(PIDNet, width=32, detail_blocks=2, context_blocks=3, pyramid=96, head=128),
        NetworkCard(
            title="PIDNet-S",
            paper=(
                "Xu, Xiong, Bhattacharyya: PIDNet: A Real-time Semantic Segmentation Network "
                "Inspired by PID Controllers, CVPR 2023"
            ),
            url="https://arxiv.org/abs/2206.02066",
            structure=(
                "Detail, context and boundary branches with Pag, PAPPM and Light-Bag; the authors' "
                "structure, with maps resized to each other so that any size works."
            ),
            parameters=7_625_651,
            gmacs=47.19,
        ),
    ),
)
