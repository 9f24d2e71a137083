"""Class sets: what the numbers in a class map mean, and in which colours they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rtseg.errors import DataError, UnknownNameError, closest

VOID = 255
"""The id of pixels that have no class: ignored by losses and metrics, never predicted."""

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class ClassSet:
    """An ordered set of classes; the class id is the position.

    Args:
        name: a short name, such as ``"camvid"``.
        names: one name per class, unique.
        colours_rgb: one colour per class, 0–255 each.

    Raises:
        DataError: names and colours don't match, a name stands twice, a colour is out of range,
            or there are more classes than an 8-bit id with 255 = void can hold.
    """

    name: str
    names: tuple[str, ...]
    colours_rgb: tuple[Colour, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.names) <= VOID:
            raise DataError(
                f"class set {self.name!r} has {len(self.names)} classes; 1 to {VOID} are allowed"
            )
        if len(self.names) != len(self.colours_rgb):
            raise DataError(
                f"class set {self.name!r} has {len(self.names)} names "
                f"but {len(self.colours_rgb)} colours"
            )
        if len(set(self.names)) != len(self.names):
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise DataError(f"class set {self.name!r} names {twice!r} twice")
        for name, colour in zip(self.names, self.colours_rgb, strict=True):
            if len(colour) != 3 or not all(0 <= value <= 255 for value in colour):
                raise DataError(f"colour of {name!r} is {colour}; three values of 0–255 are needed")

    def __len__(self) -> int:
        return len(self.names)

    def id_of(self, name: str) -> int:
        """Return the id of the class called `name`, in any case.

        Raises:
            UnknownNameError: there is no such class.
        """
        lowered = [known.lower() for known in self.names]
        try:
            return lowered.index(name.lower())
        except ValueError:
            raise UnknownNameError(
                f"class set {self.name!r} has no class {name!r}.{closest(name.lower(), lowered)} "
                f"Known: {', '.join(self.names)}"
            ) from None

    def palette_bgr(self) -> npt.NDArray[np.uint8]:
        """Return the colours as uint8 [256, 3] in BGR; ids without a class, and void, are black."""
        palette = np.zeros((256, 3), np.uint8)
        palette[: len(self)] = np.array(self.colours_rgb, np.uint8)[:, ::-1]
        return palette

    def to_dict(self) -> dict[str, Any]:
        """Return a form that JSON and YAML can hold; `from_dict` reads it back."""
        return {
            "name": self.name,
            "names": list(self.names),
            "colours_rgb": [list(colour) for colour in self.colours_rgb],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ClassSet:
        """Read what `to_dict` wrote.

        Raises:
            DataError: a key is missing or the values make no class set.
        """
        try:
            colours: Iterable[Iterable[int]] = values["colours_rgb"]
            return cls(
                str(values["name"]),
                tuple(str(name) for name in values["names"]),
                tuple(_colour(colour) for colour in colours),
            )
        except (KeyError, TypeError) as error:
            raise DataError(f"not a class set: {error}") from error


def _colour(values: Iterable[int]) -> Colour:
    red, green, blue = (int(value) for value in values)
    return red, green, blue


CAMVID = ClassSet(
    "camvid",
    ("Sky", "Building", "Pole", "Road", "Pavement", "Tree",
     "SignSymbol", "Fence", "Car", "Pedestrian", "Bicyclist"),
    ((128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0),
     (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192)),
)  # fmt: skip
"""CamVid's 11 classes with SegNet's colours (Brostow 2009; Badrinarayanan 2017)."""

CITYSCAPES = ClassSet(
    "cityscapes",
    ("road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign",
     "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train",
     "motorcycle", "bicycle"),
    ((128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153),
     (153, 153, 153), (250, 170, 30), (220, 220, 0), (107, 142, 35), (152, 251, 152),
     (70, 130, 180), (220, 20, 60), (255, 0, 0), (0, 0, 142), (0, 0, 70), (0, 60, 100),
     (0, 80, 100), (0, 0, 230), (119, 11, 32)),
)  # fmt: skip
"""The 19 evaluated classes of Cityscapes in train-id order (Cordts 2016); BDD100K and KITTI too."""
