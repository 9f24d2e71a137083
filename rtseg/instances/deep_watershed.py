"""Deep watershed: cut the energy at one level, and what stays connected is an object.

Bai, Urtasun: Deep Watershed Transform for Instance Segmentation, CVPR 2017,
https://arxiv.org/abs/1611.08303. The cut shrinks objects, so basins are grown back: here until the
connected part of their class is given away, where the authors dilate by one or two pixels and leave
the rest out. A part that no basin shows in is an object too. The authors cut vehicles one level
higher than people; here one level holds for all classes.
"""

from __future__ import annotations

from collections.abc import Sequence

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


class DeepWatershedConfig(Config):
    """How energy levels become objects."""

    cut: int = Field(
        default=1, ge=1, description="The lowest level that belongs to an object's basin."
    )
    min_seed_px: int = Field(default=3, ge=1, description="Smaller basins don't count, pixels.")
    min_area_px: int = Field(
        default=MIN_AREA_PX, ge=1, description="Smaller objects are dropped, pixels."
    )


def deep_watershed(
    labels: UInt8,
    energy: UInt8,
    things: Sequence[int],
    config: DeepWatershedConfig | None = None,
    confidence: Float32 | None = None,
) -> InstanceMap:
    """Return the objects of a picture.

    Args:
        labels: uint8 [H, W], class ids.
        energy: uint8 [H, W], levels from 0 at an object's edge up.
        things: ids of the countable classes.
        config: level and sizes.
        confidence: float32 [H, W], how sure each pixel's label is, 0-1.

    Raises:
        DataError: the sizes differ.
    """
    config = config or DeepWatershedConfig()

    def grow(part: Bool, seeds: Int32, area: Area) -> Int32:
        return nearest_seed(part, seeds)

    return divided_instances(
        labels,
        np.asarray(energy >= config.cut),
        things,
        grow,
        confidence,
        config.min_area_px,
        config.min_seed_px,
    )
