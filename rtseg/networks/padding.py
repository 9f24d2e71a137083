"""How pictures of sizes that a network can't take are made larger: at the bottom and the right."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Padding = Literal["mean", "reflect"]
"""``mean``: with the mean colour, which is 0 after normalisation; ``reflect``: with the picture's
own mirror image, the pixels of the edge not repeated."""


def pad_pictures(images: Tensor, hw: tuple[int, int], padding: Padding = "mean") -> Tensor:
    """Return normalised pictures [N, C, H, W] padded at the bottom and right to `hw`.

    A picture that is smaller than its padding is mirrored several times.
    """
    height, width = images.shape[-2:]
    if (height, width) == hw:
        return images
    if padding == "mean":
        return F.pad(images, (0, hw[1] - width, 0, hw[0] - height))
    return _mirrored(_mirrored(images, -1, hw[1]), -2, hw[0])


def _mirrored(images: Tensor, dim: int, size: int) -> Tensor:
    """Continue the pictures along a dimension with their mirror image, up to a size.

    Made of slices, flips and joins, which every engine's converter knows.
    """
    while (there := images.shape[dim]) < size:
        count = min(size - there, max(there - 1, 1))
        first = max(there - 1 - count, 0)  # a single row has no neighbour: it is repeated
        strip = images.narrow(dim, first, count).flip(dim)
        images = torch.cat([images, strip], dim=dim)
    return images
