"""The layout "folder": picture files beside mask files, paired by name.

It reads CamVid, Cityscapes, BDD100K, KITTI, Mapillary Vistas, ApolloScape, Pascal VOC, ADE20K,
COCO-Stuff and own data; what is particular to each of them (folders, file names, ids, colours) is
in its file in configs/datasets.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from rtseg.classes import ClassSet
from rtseg.config import Config
from rtseg.errors import ConfigError, DataError, closest
from rtseg.training.datasets.class_table import ClassEntry, ClassTable, MaskValues, VoidEntry
from rtseg.training.datasets.dataset import (
    DATASETS,
    DatasetConfig,
    Sample,
    SegmentationDataset,
)
from rtseg.training.datasets.image_file import read_image
from rtseg.training.datasets.root import ROOT_VARIABLE, data_root
from rtseg.training.datasets.selection import select
from rtseg.training.datasets.sources import Joined


def _one_name(pattern: str) -> str:
    if pattern.count("{name}") != 1:
        raise ValueError("{name} must stand in it once: that part becomes the picture's name")
    return _known_fields(pattern)


def _some_name(pattern: str) -> str:
    if "{name}" not in pattern:
        raise ValueError("{name} must stand in it: the name of the picture it belongs to")
    return _known_fields(pattern)


def _known_fields(pattern: str) -> str:
    unknown = set(re.findall(r"\{[^}]*\}?|\}", pattern)) - {"{name}", "{split}"}
    if unknown:
        raise ValueError(f"{min(unknown)} is unknown; {{name}} and {{split}} are allowed")
    return pattern


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class MaskFiles(Config):
    """Where masks lie and what they hold."""

    path: Annotated[str, AfterValidator(_some_name)] = Field(
        description="The mask of the picture {name} in {split}, relative to `root`."
    )
    values: MaskValues = Field(
        description="ids: numbers, listed by the classes; train_ids: 0 to K-1 in the order of "
        "`classes`, 255 = void; colours: listed by the classes."
    )


class SplitConfig(Config):
    """Which pictures make a split. All that are found, unless something here says otherwise."""

    folder: str | None = Field(
        None, description="What {split} in the patterns stands for; the split's own name if empty."
    )
    names: Path | None = Field(
        None,
        description="Text file relative to `root`, one picture per line: a name, with or without "
        "its ending, or a path. What stands behind it after a tab or a space, such as the mask, is "
        "not read.",
    )
    include: list[str] = Field([], description="Only names that fit one of these patterns.")
    exclude: list[str] = Field([], description="Without names that fit one of these patterns.")
    joins: list[str] = Field([], description="Instead of all this: other splits, put together.")


class FolderConfig(DatasetConfig):
    """A data set in the layout "folder"."""

    root: Path = Field(
        description="The data set's folder, relative to the data folder ($RTSEG_DATA), or absolute."
    )
    pictures: Annotated[
        list[Annotated[str, AfterValidator(_one_name)]], BeforeValidator(_as_list)
    ] = Field(
        min_length=1,
        description="Where pictures lie, relative to `root`; {split} is the split's folder. {name} "
        "may span folders: images/{name}.jpg finds images/monday/7.jpg as monday/7.",
    )
    masks: Annotated[list[MaskFiles], BeforeValidator(_as_list)] = Field(
        min_length=1, description="Where masks lie; of several, a picture's first that exists."
    )
    splits: dict[str, SplitConfig] = Field(min_length=1, description="The splits by name.")
    class_set: str = Field(description="The name of the class set.")
    classes: list[ClassEntry] = Field(description="The classes; a class's label is its position.")
    void: VoidEntry = Field(
        default_factory=VoidEntry, description="The values of pixels without a class."
    )
    unlisted: Literal["error", "void"] = Field(
        "error", description="What a value is that neither a class nor `void` lists."
    )

    @model_validator(mode="after")
    def _check(self) -> FolderConfig:
        table = self.table()
        for files in self.masks:
            table.meaning(files.values)
        seen: dict[str, str] = {}
        for name, split in self.splits.items():
            if split.joins:
                self._check_joins(name, split)
                continue
            key = repr((self._paths(name), split.names, split.include, split.exclude))
            if key in seen:
                raise ConfigError(
                    f"the splits {seen[key]!r} and {name!r} hold the same pictures: put {{split}} "
                    "into the patterns, or give them names, include or exclude"
                )
            seen[key] = name
        return self

    def _check_joins(self, name: str, split: SplitConfig) -> None:
        if split.model_fields_set != {"joins"}:
            raise ConfigError(f"the split {name!r} joins others, so it can't have other keys")
        for part in split.joins:
            if part not in self.splits or self.splits[part].joins:
                known = [other for other, values in self.splits.items() if not values.joins]
                raise ConfigError(
                    f"the split {name!r} joins {part!r}, which is no split with pictures of its "
                    f"own.{closest(part, known)} Known: {', '.join(known)}"
                )

    def _paths(self, split: str) -> list[str]:
        folder = self.splits[split].folder or split
        return [pattern.replace("{split}", folder) for pattern in self.pictures]

    def table(self) -> ClassTable:
        """Return what turns masks into labels."""
        return ClassTable(self.class_set, self.classes, self.void, self.unlisted)

    def read_classes(self, folder: Path) -> ClassSet:
        """Return the classes of the table."""
        return self.table().classes

    def split_names(self, folder: Path) -> list[str]:
        """Return the splits."""
        return list(self.splits)

    def open(self, split: str, folder: Path) -> SegmentationDataset:
        """Find the pictures of a split; see `FolderDataset`."""
        parts = self.splits[split].joins
        if parts:
            return Joined([FolderDataset(self, part) for part in parts], parts)
        return FolderDataset(self, split)


class FolderDataset(SegmentationDataset):
    """One split of pictures and masks in folders.

    Raises:
        DataError: a folder or list is missing, there is no picture, a list names one that isn't
            there, or two pictures have one name.
        ConfigError: a pattern of the split fits no picture.
    """

    def __init__(self, config: FolderConfig, split: str) -> None:
        self.root = data_root() / config.root.expanduser()
        self._config = config
        self._split = config.splits[split]
        self._folder = self._split.folder or split
        self._table = config.table()
        if not self.root.is_dir():
            raise DataError(
                f"no folder {self.root} for {config.title or config.class_set!r}: put the data "
                f"there, set {ROOT_VARIABLE} to the folder that holds {config.root}, or change "
                "'root' in the data set's YAML file"
            )
        self._pictures = self._find()
        super().__init__(self._table.classes, self._choose(split))

    def __getitem__(self, index: int) -> Sample:
        name = self.names[index]
        found = self._mask_of(name)
        if found is None:
            raise DataError(self._missing_mask(name))
        path, values = found
        image, labels = read_image(self._pictures[name]), self._table.read(path, values)
        if image.shape[:2] != labels.shape:
            raise DataError(
                f"mask {path} is {labels.shape[1]}x{labels.shape[0]} but its picture "
                f"{self._pictures[name]} is {image.shape[1]}x{image.shape[0]} (width x height); "
                "both must have one size"
            )
        return Sample(image, labels, name)

    def missing(self) -> list[str]:
        """Return a line for each picture without a mask."""
        return [self._missing_mask(name) for name in self.names if self._mask_of(name) is None]

    def _path(self, pattern: str, name: str) -> Path:
        return self.root / pattern.replace("{split}", self._folder).replace("{name}", name)

    def _mask_paths(self, name: str) -> list[tuple[Path, MaskValues]]:
        return [(self._path(mask.path, name), mask.values) for mask in self._config.masks]

    def _mask_of(self, name: str) -> tuple[Path, MaskValues] | None:
        return next((mask for mask in self._mask_paths(name) if mask[0].is_file()), None)

    def _missing_mask(self, name: str) -> str:
        wanted = " or ".join(str(path) for path, _ in self._mask_paths(name))
        return f"the picture {self._pictures[name]} has no mask {wanted}"

    def _find(self) -> dict[str, Path]:
        """Return name → picture in the order of the names; masks among the pictures left out."""
        found: dict[str, Path] = {}
        for pattern in self._config.pictures:
            for name, path in _files(self.root, pattern.replace("{split}", self._folder)):
                if name in found:
                    raise DataError(f"{found[name]} and {path} are both called {name!r}")
                found[name] = path
        masks = {path for name in found for path, _ in self._mask_paths(name)}
        found = {name: path for name, path in sorted(found.items()) if path not in masks}
        if not found:
            looked = " or ".join(str(self._path(p, "{name}")) for p in self._config.pictures)
            raise DataError(
                f"no picture {looked}: check 'root', 'pictures' and 'splits' in the data set's "
                "YAML file"
            )
        return found

    def _choose(self, split: str) -> list[str]:
        names = self._listed(self._split.names) if self._split.names else list(self._pictures)
        origin = f"the split {split!r} of {self.root}"
        kept = select(names, self._split.include, self._split.exclude, origin)
        return [names[index] for index in kept]

    def _listed(self, file: Path) -> list[str]:
        """Return the names that a list file gives, in its order."""
        path = self.root / file
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"can't read the list of pictures {path}: {error}") from error
        known = {str(picture): name for name, picture in self._pictures.items()}
        known |= {entry.removeprefix(f"{self.root}/"): name for entry, name in known.items()}
        known |= {f"{name}{picture.suffix}": name for name, picture in self._pictures.items()}
        known |= {name: name for name in self._pictures}
        names: dict[str, int] = {}
        for number, line in enumerate(lines, 1):
            entry = line.strip()
            if not entry or entry.startswith("#"):
                continue
            name = next((known[form] for form in _written_forms(entry) if form in known), None)
            if name is None:
                raise DataError(
                    f"{path}, line {number}: there is no picture {entry!r}.{closest(entry, known)}"
                )
            if name in names:
                raise DataError(
                    f"{path}, line {number}: {entry!r} stands in line {names[name]} already"
                )
            names[name] = number
        return list(names)


def _written_forms(line: str) -> list[str]:
    """Return what in a line of a list may name the picture: all of it, or its first column."""
    forms = (line, line.split("\t")[0].rstrip(), line.split()[0])
    return [form for each in forms for form in (each, each.removeprefix("/"))]


def _files(root: Path, pattern: str) -> Iterator[tuple[str, Path]]:
    """Yield (name, file) for the files that fit a pattern; hidden ones are skipped."""
    before, after = pattern.split("{name}")
    start, _, prefix = before.rpartition("/")
    base = root / start if start or not before.startswith("/") else Path("/")
    if not base.is_dir():
        raise DataError(f"no folder {base} for the pictures {pattern!r} below {root}")
    for folder, _, files in os.walk(base, followlinks=True):
        for file in files:
            if file.startswith("."):
                continue
            path = Path(folder) / file
            relative = path.relative_to(base).as_posix()
            fits = relative.startswith(prefix) and relative.endswith(after)
            name = relative[len(prefix) : len(relative) - len(after)]
            if fits and name:
                yield name, path


DATASETS.add("folder", FolderConfig)
