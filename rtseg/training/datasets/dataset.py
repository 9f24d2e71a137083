"""What every data set owes: pictures, labels, names and a class set; void is 255 inside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field

from rtseg.classes import ClassSet
from rtseg.config import Config
from rtseg.errors import DataError
from rtseg.registry import Registry

UInt8 = npt.NDArray[np.uint8]
UInt16 = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One picture with its labels.

    Args:
        image_bgr: uint8 [H, W, 3], BGR.
        labels: uint8 [H, W], class ids, 255 = void.
        name: what the data set calls the picture, unique within a split.
        instances: uint16 [H, W], the object that each pixel belongs to, 0 for none; None where the
            data set knows classes alone.

    Raises:
        DataError: shapes or types are others, or the labels have another size than the picture.
    """

    image_bgr: UInt8
    labels: UInt8
    name: str
    instances: UInt16 | None = None

    def __post_init__(self) -> None:
        image, labels = self.image_bgr, self.labels
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise DataError(
                f"{self.name}: the picture is {image.dtype} {list(image.shape)}; "
                "uint8 [H, W, 3] is needed"
            )
        if labels.dtype != np.uint8 or labels.ndim != 2:
            raise DataError(
                f"{self.name}: the labels are {labels.dtype} {list(labels.shape)}; "
                "uint8 [H, W] is needed"
            )
        if image.shape[:2] != labels.shape:
            raise DataError(
                f"{self.name}: the mask is {labels.shape[1]}x{labels.shape[0]} but its picture "
                f"{image.shape[1]}x{image.shape[0]} (width x height); both must have one size"
            )
        ids = self.instances
        if ids is not None and (ids.dtype != np.uint16 or ids.shape != labels.shape):
            raise DataError(
                f"{self.name}: the objects are {ids.dtype} {list(ids.shape)}; uint16 "
                f"{list(labels.shape)} is needed, as the labels"
            )

    def __repr__(self) -> str:
        height, width = self.labels.shape
        return f"Sample({self.name!r}, {width}x{height})"


class SegmentationDataset(ABC):
    """Labelled pictures in a fixed order; read from several threads at once.

    Args:
        classes: what the ids of the labels mean.
        names: one name per picture.
    """

    has_instances: bool = False
    """Whether the samples say which object each pixel belongs to."""

    def __init__(self, classes: ClassSet, names: list[str]) -> None:
        self.classes = classes
        self.names = names

    def __len__(self) -> int:
        return len(self.names)

    @abstractmethod
    def __getitem__(self, index: int) -> Sample:
        """Return a picture and its labels, the same ones at every call.

        Raises:
            DataError: a file is missing, damaged, or holds what the class table doesn't list.
            IndexError: there is no such picture.
        """

    def missing(self) -> list[str]:
        """Return one line for each file that is needed and not there; decodes nothing."""
        return []


class DatasetConfig(Config, ABC):
    """The base of every layout's settings: one YAML file in configs/datasets.

    `folder`, below, is the folder of that file; paths in it may be relative to it.
    """

    layout: str = Field(description="Which reader in DATASETS the file is for.")
    title: str = Field("", description="What the data are, for people.")

    @abstractmethod
    def read_classes(self, folder: Path) -> ClassSet:
        """Return the classes of the labels; opens no picture and needs no data."""

    @abstractmethod
    def split_names(self, folder: Path) -> list[str]:
        """Return the splits that `open` takes."""

    @abstractmethod
    def open(self, split: str, folder: Path) -> SegmentationDataset:
        """Return one split, known to be one of `split_names`.

        Raises:
            DataError: its folders or lists are missing or hold no picture.
        """


DATASETS: Registry[type[DatasetConfig]] = Registry("data set layout")
"""Layouts by the name that stands behind `layout:` in a data set's YAML file."""
