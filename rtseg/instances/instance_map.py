"""Which object every pixel belongs to, and which classes have objects at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtseg.classes import ClassSet
from rtseg.errors import DataError

UInt8 = npt.NDArray[np.uint8]
UInt16 = npt.NDArray[np.uint16]
Float32 = npt.NDArray[np.float32]

MOST_INSTANCES = 65535
"""Ids are uint16, and 0 is no object."""

COUNTABLE = frozenset(
    {
        "person", "pedestrian", "child", "rider", "bicyclist", "cyclist", "motorcyclist",
        "other rider", "car", "truck", "bus", "train", "tram", "on rails", "trailer", "caravan",
        "motorcycle", "motorbike", "motorcyclescooter", "bicycle", "tricycle", "other vehicle",
        "wheeled slow", "suvpickuptruck", "truck_bus", "animal", "ground animal",
    }
)  # fmt: skip
"""Names, in lower case, of the classes of driving data sets that come in objects."""


@dataclass(frozen=True, slots=True, eq=False)
class InstanceMap:
    """The objects that were found in a picture; no two of them overlap.

    Args:
        ids: uint16 [H, W]: object n of N is n, 1 to N; 0 is none.
        class_ids: uint8 [N], the class of each object.
        scores: float32 [N], how sure it is, 0-1.

    Raises:
        DataError: shapes or types are others, or an id has no entry.
    """

    ids: UInt16
    class_ids: UInt8
    scores: Float32

    def __post_init__(self) -> None:
        if self.ids.dtype != np.uint16 or self.ids.ndim != 2:
            raise DataError(
                f"ids of objects are {self.ids.dtype} {list(self.ids.shape)}; uint16 [H, W] is "
                "needed"
            )
        if self.class_ids.shape != self.scores.shape or self.class_ids.ndim != 1:
            raise DataError(
                f"there are {list(self.class_ids.shape)} classes of objects but "
                f"{list(self.scores.shape)} scores; both [N]"
            )
        highest = int(self.ids.max(initial=0))
        if highest > len(self.class_ids):
            raise DataError(f"object {highest} has no class: there are {len(self.class_ids)}")

    def __len__(self) -> int:
        return len(self.class_ids)

    def __repr__(self) -> str:
        height, width = self.ids.shape
        return f"InstanceMap({len(self)} objects, {width}x{height})"

    @property
    def areas(self) -> npt.NDArray[np.int64]:
        """Pixels of each object, int64 [N]."""
        counts = np.bincount(self.ids.ravel(), minlength=len(self) + 1)
        return np.asarray(counts[1:], np.int64)


def countable_ids(classes: ClassSet) -> tuple[int, ...]:
    """Return the ids of the classes that come in objects (people, vehicles), by their names."""
    return tuple(
        index for index, name in enumerate(classes.names) if name.lower().strip() in COUNTABLE
    )


def empty_map(height: int, width: int) -> InstanceMap:
    """Return the map of a picture without objects."""
    return InstanceMap(
        np.zeros((height, width), np.uint16), np.zeros(0, np.uint8), np.zeros(0, np.float32)
    )
