"""Blocks that several families share, and the initial weights of a network trained from scratch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from torch import Tensor, nn
from torch.nn import functional as F


class ConvBN(nn.Sequential):
    """Convolution without bias, batch normalisation, activation (none where it is None).

    The padding keeps the size at stride 1, whatever the kernel and the atrous rate.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        rate: int = 1,
        groups: int = 1,
        activation: Callable[..., nn.Module] | None = nn.ReLU,
    ) -> None:
        conv = nn.Conv2d(
            in_channels,
            out_channels,
            kernel,
            stride=stride,
            padding=rate * (kernel // 2),
            dilation=rate,
            groups=groups,
            bias=False,
        )
        layers: list[nn.Module] = [conv, nn.BatchNorm2d(out_channels)]
        super().__init__(*layers, *([activation(inplace=True)] if activation else []))


class SeparableConvBN(nn.Sequential):
    """3x3 depthwise and 1x1 convolution, each with batch normalisation and ReLU."""

    def __init__(self, in_channels: int, out_channels: int, *, rate: int = 1) -> None:
        super().__init__(
            ConvBN(in_channels, in_channels, rate=rate, groups=in_channels),
            ConvBN(in_channels, out_channels, 1),
        )


class FCNHead(nn.Sequential):
    """3x3 convolution to a quarter of the channels, dropout, 1x1 convolution to the classes."""

    def __init__(self, in_channels: int, num_classes: int, dropout: float = 0.1) -> None:
        super().__init__(
            ConvBN(in_channels, in_channels // 4),
            nn.Dropout(dropout),
            nn.Conv2d(in_channels // 4, num_classes, 1),
        )


def resize(maps: Tensor, hw: Sequence[int]) -> Tensor:
    """Resize [N, C, h, w] to height and width `hw`: bilinear, pixel centres aligned."""
    return F.interpolate(maps, size=list(hw), mode="bilinear", align_corners=False)


def cut(maps: Tensor, hw: Sequence[int]) -> Tensor:
    """Cut what reaches beyond height and width `hw` at the right and at the bottom."""
    return maps if tuple(maps.shape[-2:]) == tuple(hw) else maps[..., : hw[0], : hw[1]]


def initialise(network: nn.Module, classifiers: Iterable[nn.Module] = ()) -> None:
    """Draw the weights that a training from scratch starts from, in place.

    Convolutions: normal with deviation sqrt(2 / (kernel area * output channels per group)), He et
    al. 2015; counting the channels per group keeps depthwise kernels at the scale of the others.
    Batch normalisation: 1 and 0. The layers in `classifiers`, which end in logits: normal with
    deviation 0.01, so that the first loss is near log(K).
    """
    last = {id(layer) for layer in classifiers}
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            fan_out = math.prod(module.kernel_size) * module.out_channels / module.groups
            draw_normal(module.weight, 0.01 if id(module) in last else (2 / fan_out) ** 0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)


def draw_normal(weight: Tensor, std: float) -> None:
    """Draw weights in place; on the meta device there is nothing to draw, and torch takes long."""
    if not weight.is_meta:
        nn.init.normal_(weight, std=std)


def initialise_fan_in(
    network: nn.Module, classifiers: Iterable[nn.Module] = (), *, uniform: bool = False
) -> None:
    """Draw initial weights whose scale is that of the inputs, in place.

    Convolutions: deviation sqrt(2 / inputs that one output sees), which without normalisation
    keeps the size of the maps from layer to layer (He et al. 2015); biases 0. The layers in
    `classifiers` as in `initialise`.

    Args:
        network: what to draw.
        classifiers: layers that end in logits.
        uniform: from a uniform distribution of that deviation (HeUniform) instead of a normal one.
    """
    last = {id(layer): layer for layer in classifiers}
    initialise(network, last.values())
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and id(module) not in last:
            fan_in = math.prod(module.kernel_size) * module.in_channels / module.groups
            if isinstance(module, nn.ConvTranspose2d):
                fan_in /= math.prod(module.stride)
            std = (2 / fan_in) ** 0.5
            if uniform:
                nn.init.uniform_(module.weight, -(3**0.5) * std, 3**0.5 * std)
            else:
                draw_normal(module.weight, std)
