"""Watershed between touching borders: a class without its borders is seeds, which flood it again.

Iglovikov, Seferbekov, Buslaev, Shvets: TernausNetV2: Fully Convolutional Network for Instance
Segmentation, CVPR Workshops 2018, https://arxiv.org/abs/1806.00844, section 3. There a picture has
one class and its mask is flooded; here every connected part of a countable class is flooded on its
own, and the ridges that basins meet at are the borders.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from pydantic import Field

from rtseg.config import Config
from rtseg.instances.components import (
    MIN_AREA_PX,
    Area,
    Bool,
    Int32,
    divided_instances,
    nearest_seed,
)
from rtseg.instances.instance_map import Float32, InstanceMap, UInt8


class BorderWatershedConfig(Config):
    """How border probabilities become objects."""

    threshold: float = Field(
        default=0.5, gt=0, lt=1, description="From this probability on a pixel is border."
    )
    min_seed_px: int = Field(default=3, ge=1, description="Smaller seeds don't count, pixels.")
    min_area_px: int = Field(
        default=MIN_AREA_PX, ge=1, description="Smaller objects are dropped, pixels."
    )


def border_watershed(
    labels: UInt8,
    border: Float32,
    things: Sequence[int],
    config: BorderWatershedConfig | None = None,
    confidence: Float32 | None = None,
) -> InstanceMap:
    """Return the objects of a picture.

    Args:
        labels: uint8 [H, W], class ids.
        border: float32 [H, W], the probability that objects touch here, 0-1.
        things: ids of the countable classes.
        config: threshold and sizes.
        confidence: float32 [H, W], how sure each pixel's label is, 0-1.

    Raises:
        DataError: the sizes differ.
    """
    config = config or BorderWatershedConfig()
    heights = np.rint(border * 255).clip(0, 255).astype(np.uint8)

    def flood(part: Bool, seeds: Int32, area: Area) -> Int32:
        return flooded(part, seeds, heights[area])

    return divided_instances(
        labels,
        np.asarray(border < config.threshold),
        things,
        flood,
        confidence,
        config.min_area_px,
        config.min_seed_px,
    )


def flooded(part: Bool, seeds: Int32, heights: UInt8) -> Int32:
    """Flood a part [h, w] from its seeds over a landscape; return whose every pixel is.

    Args:
        part: the pixels to flood; the others get 0.
        seeds: numbers from 1 on, 0 where none is.
        heights: uint8 [h, w]; low ground is flooded first.
    """
    outside = int(seeds.max()) + 1
    markers = np.where(part, seeds, outside).astype(np.int32)
    # OpenCV draws a line around the picture, which a margin of one pixel takes.
    markers = np.pad(markers, 1, constant_values=outside)
    landscape = np.pad(heights, 1, mode="edge")
    cv2.watershed(cv2.merge([landscape] * 3), markers)
    basins = markers[1:-1, 1:-1]
    # Lines between basins belong to no one, and a line beside the outside to the basin behind it.
    seen = np.where((basins > 0) & (basins < outside) & part, basins, 0).astype(np.int32)
    return nearest_seed(part, seen)
