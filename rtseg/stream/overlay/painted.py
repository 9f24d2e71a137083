"""A class map with its picture painted already, for whoever writes on it."""

from __future__ import annotations

from dataclasses import dataclass

from rtseg.frames import ClassMap, Image


@dataclass(frozen=True, slots=True, eq=False)
class Painted:
    """What the device path hands on.

    Args:
        class_map: the class map.
        image_bgr: uint8 [H, W or 2 W, 3] BGR, its colours over its frame; the taker's own.
    """

    class_map: ClassMap
    image_bgr: Image
