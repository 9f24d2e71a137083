"""The layout "mapped": a data set read into the classes of another, so that both can be joined."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import Field

from rtseg.classes import VOID, ClassSet
from rtseg.errors import ConfigError, UnknownNameError, closest
from rtseg.training.datasets.dataset import (
    DATASETS,
    DatasetConfig,
    Sample,
    SegmentationDataset,
    UInt8,
)
from rtseg.training.datasets.sources import load_dataset_config, resolve_config


class MappedConfig(DatasetConfig):
    """A data set and what its classes are in another class set."""

    data: Path = Field(description="YAML file of the data set to read, relative to this file.")
    classes_of: Path = Field(
        description="YAML file of the data set whose classes are wanted, relative to this file. "
        "Its data need not be there."
    )
    map_to: dict[str, str | None] = Field(
        description="Every class of `data` → a class of `classes_of`, or null for void."
    )

    def read_classes(self, folder: Path) -> ClassSet:
        """Return the classes that labels are mapped to."""
        return _classes(self.classes_of, folder)

    def split_names(self, folder: Path) -> list[str]:
        """Return the splits of the data set that is read."""
        path = resolve_config(self.data, folder)
        return load_dataset_config(path).split_names(path.parent)

    def open(self, split: str, folder: Path) -> SegmentationDataset:
        """Open the split of the data set that is read."""
        path = resolve_config(self.data, folder)
        dataset = load_dataset_config(path).open(split, path.parent)
        return MappedDataset(dataset, self.read_classes(folder), self.map_to)


class MappedDataset(SegmentationDataset):
    """A data set whose labels become those of another class set.

    Args:
        dataset: what is read.
        classes: the classes wanted.
        map_to: each class's name in `dataset` → its name in `classes`, or None for void.

    Raises:
        ConfigError: a class is not mapped, or a name is unknown on either side.
    """

    def __init__(
        self, dataset: SegmentationDataset, classes: ClassSet, map_to: dict[str, str | None]
    ) -> None:
        super().__init__(classes, dataset.names)
        self._dataset = dataset
        self._table = _label_table(dataset.classes, classes, map_to)

    def __getitem__(self, index: int) -> Sample:
        sample = self._dataset[index]
        return Sample(sample.image_bgr, self._table[sample.labels], sample.name)

    def missing(self) -> list[str]:
        """Return what the data set that is read misses."""
        return self._dataset.missing()


def _label_table(source: ClassSet, target: ClassSet, map_to: dict[str, str | None]) -> UInt8:
    """Return uint8 [256]: label in `source` → label in `target`."""
    unknown = [name for name in map_to if name not in source.names]
    if unknown:
        raise ConfigError(
            f"map_to: {source.name!r} has no class {unknown[0]!r}."
            f"{closest(unknown[0], source.names)}"
        )
    table = np.full(256, VOID, np.uint8)
    for label, name in enumerate(source.names):
        if name not in map_to:
            raise ConfigError(
                f"map_to says nothing about {name!r} of {source.name!r}; name a class of "
                f"{target.name!r}, or null for void"
            )
        wanted = map_to[name]
        if wanted is not None:
            try:
                table[label] = target.id_of(wanted)
            except UnknownNameError as error:
                raise ConfigError(f"map_to.{name}: {error}") from None
    return table


def _classes(path: Path, folder: Path) -> ClassSet:
    found = resolve_config(path, folder)
    return load_dataset_config(found).read_classes(found.parent)


DATASETS.add("mapped", MappedConfig)
