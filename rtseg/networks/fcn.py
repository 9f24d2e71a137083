"""FCN-32s, -16s and -8s: a classifier made convolutional, its scores refined by finer maps.

Long, Shelhamer, Darrell: Fully Convolutional Networks for Semantic Segmentation, CVPR 2015,
https://arxiv.org/abs/1411.4038; Shelhamer, Long, Darrell, PAMI 2017,
https://arxiv.org/abs/1605.06211

The fully connected layers of VGG-16 become convolutions, 7x7 and 1x1 with 4096 channels, with
dropout behind each; a 1x1 convolution scores the classes at stride 32 (FCN-32s). FCN-16s doubles
that map by a learned transposed convolution, which starts as bilinear upsampling, and adds scores
of pool4; FCN-8s does the same once more with pool3. The last upsampling is bilinear and fixed
(section 4.3), so it is left to whoever runs the network. Re-implementations that learn it, too,
have up to 1.3 % more parameters; those that only interpolate have slightly fewer.

Departures:
- the 7x7 convolution pads its map by 3. The authors pad the picture by 100 pixels, so that 7x7
  cells are there for any picture, and cut the scores back to size by offsets; padding later gives
  maps that lie on each other without offsets, at half the work on a picture of 500x500.
- the weights start as `initialise` says, the layers of the scores with small ones. The authors
  start from ImageNet, train 32s, 16s and 8s one after the other, and start the scores from zero,
  which would keep the first gradient from all layers before.
- `fcn-8s-bn` has batch normalisation behind all convolutions but the scores, as later networks on
  VGG-16 have, for a training from scratch. The paper hasn't.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal

from torch import Tensor, nn

from rtseg.networks.encoders.vgg import VGG16
from rtseg.networks.layers import initialise
from rtseg.networks.network import NETWORKS, NetworkCard, NetworkEntry, SegmentationNetwork
from rtseg.networks.upsampling import TransposedConvolution

SKIPS: dict[int, tuple[int, ...]] = {32: (), 16: (512,), 8: (512, 256)}
"""Channels of the finer maps (pool4, pool3) whose scores are added, by the stride of the logits."""


class Skip(nn.Module):
    """Doubles the scores that come from below and adds those of a finer map."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.score = nn.Conv2d(channels, num_classes, 1)
        self.upsample = TransposedConvolution(num_classes, 2)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Return scores [N, K, h, w] of scores [N, K, ceil(h/2), ceil(w/2)] and a map [N, C, h, w].

        An odd size was rounded up on the way down; the row or column too many is cut off.
        """
        height, width = fine.shape[-2:]
        return self.upsample(coarse)[..., :height, :width] + self.score(fine)


class FCN(SegmentationNetwork):
    """FCN on VGG-16; logits at stride 32, 16 or 8 of any picture size, rounded up.

    Args:
        num_classes: K.
        stride: of the logits: 32 without skips, 16 with one, 8 with two.
        batch_norm: whether the encoder and the two large layers have batch normalisation.
    """

    min_size: ClassVar[int] = 32

    def __init__(
        self, num_classes: int, stride: Literal[32, 16, 8] = 8, batch_norm: bool = False
    ) -> None:
        super().__init__(num_classes)
        self.encoder = VGG16(batch_norm=batch_norm)
        self.fully_connected = nn.Sequential(
            *_fully_connected(512, 7, batch_norm), *_fully_connected(4096, 1, batch_norm)
        )
        self.score = nn.Conv2d(4096, num_classes, 1)
        skips = [Skip(channels, num_classes) for channels in SKIPS[stride]]
        self.skips = nn.ModuleList(skips)
        initialise(self, classifiers=(self.score, *(skip.score for skip in skips)))
        for skip in skips:
            skip.upsample.initialise_bilinear()

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K, ceil(H / stride), ceil(W / stride)]."""
        self.check_size(images)
        *finer, pool5 = self.encoder(images)
        scores = self.score(self.fully_connected(pool5))  # [N, K, H / 32, W / 32]
        for skip, fine in zip(self.skips, reversed(finer), strict=False):  # pool4, then pool3
            scores = skip(scores, fine)
        return scores


def _fully_connected(in_channels: int, kernel: int, batch_norm: bool) -> list[nn.Module]:
    conv = nn.Conv2d(in_channels, 4096, kernel, padding=kernel // 2)
    norm = [nn.BatchNorm2d(4096)] if batch_norm else []
    return [conv, *norm, nn.ReLU(inplace=True), nn.Dropout(0.5)]


def _register(
    name: str, stride: Literal[32, 16, 8], parameters: int, gmacs: float, batch_norm: bool = False
) -> None:
    skips = {32: "no skips", 16: "a skip from pool4", 8: "skips from pool4 and pool3"}[stride]
    card = NetworkCard(
        title=f"FCN-{stride}s (VGG-16{', batch normalisation' if batch_norm else ''})",
        paper=(
            "Long, Shelhamer, Darrell: Fully Convolutional Networks for Semantic Segmentation, "
            "CVPR 2015"
        ),
        url="https://arxiv.org/abs/1411.4038",
        structure=(
            f"VGG-16 made convolutional, {skips}; the 7x7 layer pads its map by 3 instead of the "
            "picture by 100 pixels. Starts from random weights. Logits at stride "
            f"{stride}; the last, fixed bilinear upsampling is that of whoever runs it."
        ),
        parameters=parameters,
        gmacs=gmacs,
    )
    build = partial(FCN, stride=stride, batch_norm=batch_norm)
    NETWORKS.add(name, NetworkEntry(build, card))


_register("fcn-32s", 32, 134_338_387, 886.40)
_register("fcn-16s", 16, 134_353_910, 886.49)
_register("fcn-8s", 8, 134_364_569, 886.70)
_register("fcn-8s-bn", 8, 134_389_401, 886.70, batch_norm=True)
