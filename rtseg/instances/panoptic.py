"""The simple panoptic merge: objects where there are some, the class map elsewhere.

Kirillov, He, Girshick, Rother, Dollár: Panoptic Segmentation, CVPR 2019,
https://arxiv.org/abs/1801.00868, section 7. Objects don't overlap here, so nothing is to be
decided between them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtseg.classes import VOID
from rtseg.errors import DataError
from rtseg.instances.instance_map import InstanceMap, UInt8, UInt16


def panoptic_merge(
    labels: UInt8, instances: InstanceMap, things: Sequence[int], least_stuff_px: int = 0
) -> tuple[UInt8, UInt16]:
    """Return the class of every pixel, uint8 [H, W], and its object, uint16 [H, W].

    An object's class stands above the class map's. A pixel of a countable class that no object
    claims is void, and so is a class that isn't countable where it covers less than
    `least_stuff_px` of the picture: nobody knows which object, or whether it is there at all.

    Args:
        labels: uint8 [H, W], class ids.
        instances: the objects.
        things: ids of the countable classes.
        least_stuff_px: smallest area of another class in a picture.

    Raises:
        DataError: the sizes differ.
    """
    if labels.shape != instances.ids.shape:
        raise DataError(
            f"the labels are {list(labels.shape)} but the objects {list(instances.ids.shape)}; "
            "one size only"
        )
    classes = np.concatenate([np.array([VOID], np.uint8), instances.class_ids])
    merged = np.where(instances.ids > 0, classes[instances.ids], labels).astype(np.uint8)
    unclaimed = np.isin(merged, list(things)) & (instances.ids == 0)
    merged[unclaimed] = VOID
    areas = np.bincount(merged.ravel(), minlength=256)
    small = [n for n in range(256) if n not in things and 0 < areas[n] < least_stuff_px]
    merged[np.isin(merged, small)] = VOID
    return merged, instances.ids.copy()
