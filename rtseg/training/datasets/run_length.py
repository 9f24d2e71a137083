"""The layout "run_length": pictures in a folder, masks of one object as run lengths in a CSV table.

Kaggle's competitions hand masks out, and take predictions, in this form.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, Field, model_validator

from rtseg.classes import ClassSet
from rtseg.config import Config
from rtseg.errors import ConfigError, DataError
from rtseg.training.datasets.class_table import Rgb
from rtseg.training.datasets.dataset import (
    DATASETS,
    DatasetConfig,
    Sample,
    SegmentationDataset,
    UInt8,
)
from rtseg.training.datasets.image_file import read_image
from rtseg.training.datasets.root import ROOT_VARIABLE, data_root
from rtseg.training.datasets.selection import select


def decode_runs(text: str, hw: tuple[int, int]) -> UInt8:
    """Return the mask of run lengths, uint8 [H, W] of 0 and 1.

    Args:
        text: pairs of first pixel, counted from 1 down the columns from the left, and length:
            ``"1 3 10 5"``. Nothing is a mask without a pixel.
        hw: height and width.

    Raises:
        DataError: it is no such list, or leaves the picture or goes back.
    """
    words = text.split()
    if len(words) % 2 or not all(word.isascii() and word.isdigit() for word in words):
        raise DataError(f"the run lengths {text[:40]!r} are no pairs of first pixel and length")
    mask = np.zeros(hw[0] * hw[1], np.uint8)
    end = 0
    for first, length in np.array(words, np.int64).reshape(-1, 2).tolist():
        start = first - 1
        if start < end or length < 1 or start + length > mask.size:
            raise DataError(
                f"the run of {length} from pixel {first} on doesn't fit: runs come in order, after "
                f"pixel {end}, and the picture has {mask.size} pixels ({hw[1]}x{hw[0]})"
            )
        end = start + length
        mask[start:end] = 1
    return np.ascontiguousarray(mask.reshape(hw[1], hw[0]).T)


def encode_runs(mask: npt.NDArray[np.integer]) -> str:
    """Return the run lengths of a mask [H, W], whose pixels other than 0 are the object."""
    flat = np.concatenate([[0], (mask.T != 0).astype(np.int8).ravel(), [0]])
    starts, ends = np.flatnonzero(np.diff(flat) == 1), np.flatnonzero(np.diff(flat) == -1)
    return " ".join(f"{start + 1} {end - start}" for start, end in zip(starts, ends, strict=True))


def _names_a_picture(pattern: str) -> str:
    folder, _, file = pattern.rpartition("/")
    if file.count("{name}") != 1 or "{" in folder or file.count("{") > 1:
        raise ValueError("{name} must stand in the file's name once, and nothing else in braces")
    return pattern


class RunLengthSplit(Config):
    """Which pictures make a split: all of the table, unless something here says otherwise."""

    include: list[str] = Field([], description="Only names that fit one of these patterns.")
    exclude: list[str] = Field([], description="Without names that fit one of these patterns.")


class RunLengthClass(Config):
    """A class."""

    name: str = Field(min_length=1, description="Its name.")
    colour: Rgb = Field(description="The colour it is shown in: [red, green, blue], 0–255 each.")


class RunLengthConfig(DatasetConfig):
    """A data set in the layout "run_length"."""

    root: Path = Field(
        description="The data set's folder, relative to the data folder ($RTSEG_DATA), or absolute."
    )
    pictures: Annotated[str, AfterValidator(_names_a_picture)] = Field(
        description="Where the picture {name} lies, relative to `root`."
    )
    table: Path = Field(description="The CSV table, relative to `root`, with a line of titles.")
    name_column: str = Field("id", description="The column of the pictures' names.")
    mask_column: str = Field("rle_mask", description="The column of the run lengths.")
    splits: dict[str, RunLengthSplit] = Field(min_length=1, description="The splits by name.")
    class_set: str = Field(description="The name of the class set.")
    classes: tuple[RunLengthClass, RunLengthClass] = Field(
        description="The background, and the object that the runs cover."
    )

    @model_validator(mode="after")
    def _check(self) -> RunLengthConfig:
        seen: dict[str, str] = {}
        for name, split in self.splits.items():
            if (other := seen.setdefault(repr(split), name)) != name:
                raise ConfigError(
                    f"the splits {other!r} and {name!r} hold the same pictures: give them include "
                    "or exclude"
                )
        return self

    def read_classes(self, folder: Path) -> ClassSet:
        """Return background and object."""
        names = tuple(entry.name for entry in self.classes)
        return ClassSet(self.class_set, names, tuple(entry.colour for entry in self.classes))

    def split_names(self, folder: Path) -> list[str]:
        """Return the splits."""
        return list(self.splits)

    def open(self, split: str, folder: Path) -> SegmentationDataset:
        """Read the table; see `RunLengthDataset`."""
        return RunLengthDataset(self, split)


class RunLengthDataset(SegmentationDataset):
    """One split of pictures with run lengths.

    Raises:
        DataError: the folder or the table is missing, the table can't be read, has no such
            columns or names a picture twice.
        ConfigError: a pattern of the split fits no picture.
    """

    def __init__(self, config: RunLengthConfig, split: str) -> None:
        self.root = data_root() / config.root.expanduser()
        self._config = config
        if not self.root.is_dir():
            raise DataError(
                f"no folder {self.root} for {config.title or config.class_set!r}: put the data "
                f"there, set {ROOT_VARIABLE} to the folder that holds {config.root}, or change "
                "'root' in the data set's YAML file"
            )
        self._runs = _read_table(self.root / config.table, config.name_column, config.mask_column)
        names, chosen = sorted(self._runs), config.splits[split]
        kept = select(names, chosen.include, chosen.exclude, f"the split {split!r} of {self.root}")
        super().__init__(config.read_classes(self.root), [names[index] for index in kept])

    def __getitem__(self, index: int) -> Sample:
        name = self.names[index]
        image = read_image(self._path(name))
        height, width = image.shape[:2]
        try:
            labels = decode_runs(self._runs[name], (height, width))
        except DataError as error:
            raise DataError(f"{self.root / self._config.table}, {name}: {error}") from None
        return Sample(image, labels, name)

    def missing(self) -> list[str]:
        """Return a line for each picture of the table that isn't there."""
        paths = (self._path(name) for name in self.names)
        return [f"the table's picture {path} is missing" for path in paths if not path.is_file()]

    def _path(self, name: str) -> Path:
        return self.root / self._config.pictures.replace("{name}", name)


def _read_table(path: Path, name_column: str, mask_column: str) -> dict[str, str]:
    """Return the run lengths of every picture by its name."""
    runs: dict[str, str] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            absent = [
                one for one in (name_column, mask_column) if one not in (rows.fieldnames or ())
            ]
            if absent:
                raise DataError(
                    f"{path} has no column {absent[0]!r}; it has {', '.join(rows.fieldnames or ())}"
                )
            for row in rows:
                name = row[name_column] or ""
                if name in runs:
                    raise DataError(f"{path}, line {rows.line_num}: {name!r} stands there twice")
                if "/" in name or name in ("", ".", ".."):
                    raise DataError(f"{path}, line {rows.line_num}: {name!r} is no picture's name")
                runs[name] = row[mask_column] or ""
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"can't read the table {path}: {error}") from error
    return runs


DATASETS.add("run_length", RunLengthConfig)
