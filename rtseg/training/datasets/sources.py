"""Opening data sets: by YAML file and split, filtered, repeated, several behind each other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np
from pydantic import Field

from rtseg.classes import ClassSet
from rtseg.config import Config, load_yaml, validate
from rtseg.errors import ConfigError, DataError, UnknownNameError, closest
from rtseg.training.datasets.dataset import (
    DATASETS,
    DatasetConfig,
    Sample,
    SegmentationDataset,
)
from rtseg.training.datasets.selection import Selection, select

_WHERE_FILES_ARE = (
    "rtseg's own lie in configs/datasets of its repository; an installed package has none, so copy "
    "one from there"
)


class DataSource(Config):
    """Some pictures of one data set."""

    data: Path = Field(
        description="YAML file of the data set, relative to the file that names it, else to the "
        "working directory."
    )
    split: str = Field(description='A split of the data set; "train+val" joins two.')
    include: list[str] = Field(
        [], description='Only pictures whose name fits one of these patterns, such as "0001TP*".'
    )
    exclude: list[str] = Field(
        [], description="Without the pictures whose name fits one of these patterns."
    )
    limit: int | None = Field(
        None, ge=1, description="At most so many pictures, evenly spaced over what is left."
    )
    repeat: int = Field(1, ge=1, description="How often each picture comes in one pass.")


class Joined(SegmentationDataset):
    """Several data sets behind each other.

    Raises:
        ConfigError: their classes differ.
    """

    def __init__(self, parts: Sequence[SegmentationDataset], origins: Sequence[str]) -> None:
        first = parts[0].classes
        for part, origin in zip(parts, origins, strict=True):
            if part.classes.names != first.names:
                raise ConfigError(
                    f"the data sets {origins[0]} ({_brief(first)}) and {origin} "
                    f"({_brief(part.classes)}) have different classes and can't be joined: read "
                    "one into the classes of the other with a file of the layout 'mapped', as "
                    "configs/datasets/cityscapes_as_camvid.yaml does"
                )
        super().__init__(first, [name for part in parts for name in part.names])
        self.has_instances = all(part.has_instances for part in parts)
        self._parts = list(parts)
        self._ends = list(accumulate(len(part) for part in parts))

    def __getitem__(self, index: int) -> Sample:
        index = range(len(self))[index]
        part = bisect_right(self._ends, index)
        return self._parts[part][index - (self._ends[part - 1] if part else 0)]

    def missing(self) -> list[str]:
        """Return what the parts miss."""
        return [line for part in self._parts for line in part.missing()]


def load_dataset_config(path: Path) -> DatasetConfig:
    """Read a data set's YAML file.

    Raises:
        ConfigError: the file is missing, names no layout or an unknown one, or has wrong keys.
    """
    if not path.is_file():
        raise ConfigError(
            f"no such data set file: {path}, looked for in {Path.cwd()}; {_WHERE_FILES_ARE}"
        )
    values = load_yaml(path)
    if "layout" not in values:
        raise ConfigError(
            f"{path}: the key 'layout' is missing; it is one of {', '.join(sorted(DATASETS))}"
        )
    try:
        settings = DATASETS[str(values["layout"])]
    except UnknownNameError as error:
        raise ConfigError(f"{path}: {error}") from None
    return validate(settings, values, str(path))


def open_dataset(
    config: Path, split: str, *, check_files: bool = True, root: Path | None = None
) -> SegmentationDataset:
    """Open a split of a data set, or several joined with ``+``: ``"train+val"``.

    Args:
        config: the data set's YAML file.
        split: the split.
        check_files: see at once that every picture has its mask. Nothing is decoded for it.
        root: the data set's folder, if it isn't where the file says.

    Raises:
        ConfigError: the file can't be used or there is no such split.
        DataError: folders or files are missing.
    """
    settings = load_dataset_config(config)
    if root is not None:
        settings = _at_root(settings, root, config)
    names = _split_names(split, settings.split_names(config.parent), config)
    try:
        parts = [settings.open(name, config.parent) for name in names]
    except ConfigError as error:
        raise ConfigError(f"{config}: {error}") from None
    dataset = parts[0] if len(parts) == 1 else Joined(parts, [f"{config}:{n}" for n in names])
    missing = dataset.missing() if check_files else []
    if missing:
        raise DataError(
            f"{len(missing)} of {len(dataset)} pictures of {config} can't be used, the first: "
            f"{missing[0]}. 'rtseg dataset {config} --split {split}' names more"
        )
    return dataset


def _at_root(settings: DatasetConfig, root: Path, config: Path) -> DatasetConfig:
    if "root" not in type(settings).model_fields:
        raise ConfigError(f"{config} has no folder of its own, so it can't be read from {root}")
    return settings.model_copy(update={"root": root.expanduser().absolute()})


def _split_names(split: str, known: Sequence[str], config: Path) -> list[str]:
    names = [name.strip() for name in split.split("+")]
    for name in names:
        if name not in known:
            raise ConfigError(
                f"{config} has no split {name!r}.{closest(name, known)} "
                f"Known: {', '.join(known)}; several are joined with '+'"
            )
        if names.count(name) > 1:
            raise ConfigError(f"the split {name!r} stands twice in {split!r}")
    return names


def open_sources(sources: Sequence[DataSource], folder: Path) -> SegmentationDataset:
    """Open sources and put them behind each other.

    Args:
        sources: one or more.
        folder: where the file that names them lies.

    Raises:
        ConfigError: there is no source, a file can't be used, a pattern fits no picture, nothing
            is left, or the class sets differ.
        DataError: folders or files are missing.
    """
    if not sources:
        raise ConfigError("no data source is given; name at least one data set and split")
    parts = [_open_source(source, folder) for source in sources]
    return parts[0] if len(parts) == 1 else Joined(parts, [str(s.data) for s in sources])


def resolve_config(path: Path, folder: Path) -> Path:
    """Return where the YAML file `path` is: relative to `folder`, else to the working directory.

    Raises:
        ConfigError: it is in neither.
    """
    path = path.expanduser()
    candidates = list(dict.fromkeys([(folder / path).absolute(), path.absolute()]))
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise ConfigError(
        f"no such data set file: {path}; looked for {' and '.join(map(str, candidates))}. "
        f"{_WHERE_FILES_ARE}"
    )


def _open_source(source: DataSource, folder: Path) -> SegmentationDataset:
    dataset = open_dataset(resolve_config(source.data, folder), source.split)
    indices = select(dataset.names, source.include, source.exclude, f"{source.data}")
    if source.limit is not None and source.limit < len(indices):
        picks = np.linspace(0, len(indices) - 1, source.limit).round().astype(int)
        indices = [indices[pick] for pick in picks]
    indices = indices * source.repeat
    return dataset if indices == list(range(len(dataset))) else Selection(dataset, indices)


def _brief(classes: ClassSet) -> str:
    return f"{len(classes)} of {classes.name!r}: {', '.join(classes.names[:3])}, …"
