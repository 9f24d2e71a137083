"""U-Net: an encoder of five resolutions, and a decoder that copies each of them across.

Ronneberger, Fischer, Brox: U-Net: Convolutional Networks for Biomedical Image Segmentation, MICCAI
2015, https://arxiv.org/abs/1505.04597.

`UNetValid` is the paper's network: convolutions without padding, a picture that is continued by its
mirror image so that the result covers all of it (the overlap-tile strategy of section 2), no batch
normalisation, dropout at the end of the contracting path. `UNet` is what the name means nowadays:
3x3 convolutions that keep the size, with batch normalisation. Re-implementations differ in the
upsampling; this is the paper's 2x2 transposed convolution, while some interpolate and save half of
the channels (13.4 M and 14.8 M parameters instead of 31.0 M).

Departures: colour pictures and K classes; the last convolution starts with small weights, where the
paper draws it like the others, so that the first loss is near log(K). The rate of the dropout, and
that it stands behind the last two stages, is from the authors' published model; the paper names
neither. The "-scse" variants recalibrate the map of every stage (Roy et al. 2018, see
`squeeze_excitation`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rtseg.networks.layers import initialise_fan_in
from rtseg.networks.network import NETWORKS, NetworkCard, NetworkEntry, SegmentationNetwork
from rtseg.networks.squeeze_excitation import ConcurrentExcitation, Merge, excitation_gates

POOLINGS = 4
MARGIN_PX = 92
"""What the valid convolutions take from each side of the picture (572 pixels become 388)."""


class Stage(nn.Sequential):
    """Two 3x3 convolutions, each with ReLU; batch normalisation, dropout and scSE as asked for."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        padding: int,
        batch_norm: bool,
        dropout: float = 0.0,
        scse: Merge | None = None,
    ) -> None:
        layers: list[nn.Module] = []
        for inputs in (in_channels, channels):
            layers.append(nn.Conv2d(inputs, channels, 3, padding=padding, bias=not batch_norm))
            layers += [nn.BatchNorm2d(channels)] if batch_norm else []
            layers.append(nn.ReLU(inplace=True))
        layers += [nn.Dropout(dropout)] if dropout else []
        layers += [ConcurrentExcitation(channels, merge=scse)] if scse else []
        super().__init__(*layers)


class UNet(SegmentationNetwork):
    """U-Net whose convolutions keep the size; logits at full resolution.

    Args:
        num_classes: K.
        width: channels of the first stage; each pooling doubles them.
        batch_norm: whether a batch normalisation stands behind each 3x3 convolution.
        dropout: rate behind the last two stages of the contracting path; 0 for none.
        scse: ``"add"`` or ``"max"`` for scSE behind every stage, None for none.
    """

    size_multiple: ClassVar[int] = 2**POOLINGS
    padding: ClassVar[int] = 1
    """Of the 3x3 convolutions."""

    def __init__(
        self,
        num_classes: int,
        width: int = 64,
        batch_norm: bool = True,
        dropout: float = 0.0,
        scse: Merge | None = None,
    ) -> None:
        super().__init__(num_classes)
        stage = partial(Stage, padding=self.padding, batch_norm=batch_norm, scse=scse)
        widths = [width << level for level in range(POOLINGS + 1)]
        rates = [dropout if level >= POOLINGS - 1 else 0.0 for level in range(POOLINGS + 1)]
        inputs = (3, *widths)
        self.contracting = nn.ModuleList(
            stage(inputs[level], widths[level], dropout=rates[level])
            for level in range(POOLINGS + 1)
        )
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(2 * each, each, 2, stride=2) for each in reversed(widths[:-1])
        )
        self.expanding = nn.ModuleList(stage(2 * each, each) for each in reversed(widths[:-1]))
        self.classifier = nn.Conv2d(width, num_classes, 1)
        initialise_fan_in(self, classifiers=(self.classifier, *excitation_gates(self)))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K, H, W]."""
        self.check_size(images)
        return self._segment(images)

    def _segment(self, images: Tensor) -> Tensor:
        x, skips = self.contracting[0](images), []
        for stage in self.contracting[1:]:
            skips.append(x)
            x = stage(F.max_pool2d(x, 2, 2))  # half the size, twice the channels
        for up, stage in zip(self.ups, self.expanding, strict=True):
            x = up(x)  # twice the size, half the channels
            x = stage(torch.cat((centre_crop(skips.pop(), x), x), 1))
        return self.classifier(x)


class UNetValid(UNet):
    """The paper's U-Net: valid convolutions on a mirrored border; logits of any picture size.

    The arguments are those of `UNet`. The border and the crops of the skips cost arithmetic: a
    picture of 360x480 is computed as one of 556x668.
    """

    size_multiple: ClassVar[int] = 1
    padding: ClassVar[int] = 0

    def __init__(
        self,
        num_classes: int,
        width: int = 64,
        batch_norm: bool = False,
        dropout: float = 0.5,
        scse: Merge | None = None,
    ) -> None:
        super().__init__(num_classes, width, batch_norm, dropout, scse)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K, H, W]."""
        self.check_size(images)
        height, width = images.shape[-2:]
        return self._segment(mirror_border(images))[..., :height, :width]


def mirror_border(images: Tensor) -> Tensor:
    """Continue pictures [N, C, H, W] by their mirror images as far as the valid network needs.

    At the top and the left these are 92 pixels; at the bottom and the right up to 15 more, so that
    all four poolings meet even sizes. The pixels of the edge are not repeated.
    """
    for dim in (-2, -1):
        # Sizes of 16 n + 60 pool evenly down to n; of them 16 n - 124 come out.
        further = -(images.shape[dim] + 2 * MARGIN_PX - 60) % 2**POOLINGS
        images = _continued(images, dim, MARGIN_PX + further)
        images = _continued(images.flip(dim), dim, MARGIN_PX).flip(dim)
    return images


def _continued(images: Tensor, dim: int, count: int) -> Tensor:
    """Continue pictures at the end of a dimension; made of what every engine's converter knows."""
    while count > 0:
        size = images.shape[dim]
        step = min(count, size - 1)
        images = torch.cat((images, images.narrow(dim, size - 1 - step, step).flip(dim)), dim)
        count -= step
    return images


def centre_crop(maps: Tensor, like: Tensor) -> Tensor:
    """Return the middle of [N, C, h, w] at the height and width of `like`."""
    height, width = like.shape[-2:]
    top, left = (maps.shape[-2] - height) // 2, (maps.shape[-1] - width) // 2
    return maps[..., top : top + height, left : left + width]


def _register(
    name: str,
    build: Callable[[int], UNet],
    variant: str,
    structure: str,
    parameters: int,
    gmacs: float,
) -> None:
    card = NetworkCard(
        title=f"U-Net ({variant})",
        paper=(
            "Ronneberger, Fischer, Brox: U-Net: Convolutional Networks for Biomedical Image "
            "Segmentation, MICCAI 2015"
        ),
        url="https://arxiv.org/abs/1505.04597",
        structure=f"{structure} Logits at full resolution.",
        parameters=parameters,
        gmacs=gmacs,
    )
    NETWORKS.add(name, NetworkEntry(build, card))


SAME = (
    "Five resolutions, 3x3 convolutions that keep the size, with batch normalisation, which the "
    "paper lacks; 2x2 transposed convolutions."
)
VALID = (
    "The paper's: valid 3x3 convolutions on a picture whose border is mirrored, cropped skips, no "
    "batch normalisation, dropout 0.5 behind the last two stages of the contracting path."
)
SCSE = f"{SAME} scSE (Roy et al. 2018: reduction 2, excitations added) behind every stage."

_register("unet", partial(UNet), "64 channels", SAME, 31_038_803, 1543.77)
_register("unet-32", partial(UNet, width=32), "32 channels", SAME, 7_763_635, 387.49)
_register("unet-scse", partial(UNet, scse="add"), "64 channels, scSE", SCSE, 32_791_068, 1544.29)
_register("unet-valid", partial(UNetValid), "valid, 64 channels", VALID, 31_032_915, 1695.04)
_register(
    "unet-valid-32", partial(UNetValid, width=32), "valid, 32 channels", VALID, 7_760_691, 425.57
)
