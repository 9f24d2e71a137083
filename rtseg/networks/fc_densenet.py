"""FC-DenseNet, the "one hundred layers tiramisu": dense blocks down and up, with skips.

Jégou, Drozdzal, Vazquez, Romero, Bengio: The One Hundred Layers Tiramisu: Fully Convolutional
DenseNets for Semantic Segmentation, CVPR Workshops 2017, https://arxiv.org/abs/1611.09326.

Every layer of a block sees the maps of all layers before it, and adds k new ones. On the way down
a block's whole stack is pooled; on the way up only the maps that the last block made new are
upsampled, or their number would explode. The numbers of maps in Table 2 of the paper are off from
the bottleneck on, its authors say; this follows the text, as their code does. Some
re-implementations upsample the whole stack, or leave the dropout out of the transitions.

Departures: the classifier starts with small weights, where the authors draw it like the other
convolutions (HeUniform), so that the first loss is near log(K); the fan of a transposed
convolution is the number of inputs that an output sees. As in the authors' code, what is upsampled
is one pixel larger than its skip and cut to it, so any picture size works.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from rtseg.networks.layers import initialise_fan_in
from rtseg.networks.network import NETWORKS, NetworkCard, NetworkEntry, SegmentationNetwork

FIRST_CHANNELS = 48


class DenseLayer(nn.Sequential):
    """Batch normalisation, ReLU, convolution, dropout: the layer that the network is made of."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int = 3, dropout: float = 0.2
    ) -> None:
        super().__init__(
            nn.BatchNorm2d(in_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2),
            nn.Dropout(dropout),
        )


class DenseBlock(nn.Module):
    """Layers that each read the maps of all before them and add `growth` new ones."""

    def __init__(self, in_channels: int, num_layers: int, growth: int, dropout: float) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.layers = nn.ModuleList(
            DenseLayer(in_channels + index * growth, growth, dropout=dropout)
            for index in range(num_layers)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return `x` [N, in, h, w] with the new maps behind it, and the new maps [N, new, h, w]."""
        for layer in self.layers:
            x = torch.cat((x, layer(x)), 1)
        return x, x[:, self.in_channels :]


class TransitionDown(nn.Sequential):
    """A layer with a 1x1 convolution that keeps the number of maps, and 2x2 max pooling."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__(
            DenseLayer(channels, channels, kernel=1, dropout=dropout), nn.MaxPool2d(2, stride=2)
        )


class TransitionUp(nn.Module):
    """3x3 transposed convolution at stride 2, cut to the skip, which is stacked behind it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.upsample = nn.ConvTranspose2d(channels, channels, 3, stride=2)

    def forward(self, new_maps: Tensor, skip: Tensor) -> Tensor:
        """Return [N, channels + skip's, h, w] at the size of `skip`."""
        height, width = skip.shape[-2:]
        return torch.cat((self.upsample(new_maps)[..., :height, :width], skip), 1)


class FCDenseNet(SegmentationNetwork):
    """FC-DenseNet; logits at full resolution, of any picture size.

    Args:
        num_classes: K.
        growth: new maps of each layer (the paper's k).
        num_layers: layers of each dense block, from the first to the last; an odd number of
            blocks, of which the middle one is the bottleneck.
        dropout: rate behind every convolution but the first and the last.
    """

    min_size: ClassVar[int] = 32

    def __init__(
        self,
        num_classes: int,
        growth: int = 16,
        num_layers: Sequence[int] = (4, 5, 7, 10, 12, 15, 12, 10, 7, 5, 4),
        dropout: float = 0.2,
    ) -> None:
        super().__init__(num_classes)
        poolings = len(num_layers) // 2
        self.first = nn.Conv2d(3, FIRST_CHANNELS, 3, padding=1)
        self.down_blocks, self.downs = nn.ModuleList(), nn.ModuleList()
        self.ups, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        channels, skips = FIRST_CHANNELS, []
        for layers in num_layers[:poolings]:
            self.down_blocks.append(DenseBlock(channels, layers, growth, dropout))
            channels += layers * growth
            self.downs.append(TransitionDown(channels, dropout))
            skips.append(channels)
        self.bottleneck = DenseBlock(channels, num_layers[poolings], growth, dropout)
        new = num_layers[poolings] * growth
        for layers in num_layers[poolings + 1 :]:
            self.ups.append(TransitionUp(new))
            channels = new + skips.pop()
            self.up_blocks.append(DenseBlock(channels, layers, growth, dropout))
            new = layers * growth
            channels += new
        self.classifier = nn.Conv2d(channels, num_classes, 1)
        initialise_fan_in(self, classifiers=(self.classifier,), uniform=True)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K, H, W]."""
        self.check_size(images)
        stack, skips = self.first(images), []
        for block, down in zip(self.down_blocks, self.downs, strict=True):
            stack, _ = block(stack)
            skips.append(stack)
            stack = down(stack)  # half the size
        stack, new_maps = self.bottleneck(stack)
        for up, block in zip(self.ups, self.up_blocks, strict=True):
            stack, new_maps = block(up(new_maps, skips.pop()))  # twice the size
        return self.classifier(stack)


def _register(
    depth: int, growth: int, num_layers: tuple[int, ...], parameters: int, gmacs: float
) -> None:
    card = NetworkCard(
        title=f"FC-DenseNet{depth}",
        paper=(
            "Jégou, Drozdzal, Vazquez, Romero, Bengio: The One Hundred Layers Tiramisu: Fully "
            "Convolutional DenseNets for Semantic Segmentation, CVPR Workshops 2017"
        ),
        url="https://arxiv.org/abs/1611.09326",
        structure=(
            f"Dense blocks of {min(num_layers)} to {max(num_layers)} layers with {growth} new maps "
            f"each, five poolings, transitions up of a block's new maps alone, dropout 0.2. Its "
            f"normalisations stand before the convolutions, so deployment can't fold them. Logits "
            f"at full resolution."
        ),
        parameters=parameters,
        gmacs=gmacs,
    )
    build = partial(FCDenseNet, growth=growth, num_layers=num_layers)
    NETWORKS.add(f"fc-densenet-{depth}", NetworkEntry(build, card))


_register(56, 12, (4,) * 11, 1_378_339, 375.91)
_register(67, 16, (5,) * 11, 3_465_555, 878.44)
_register(103, 16, (4, 5, 7, 10, 12, 15, 12, 10, 7, 5, 4), 9_324_147, 843.25)
