"""The layout "demo": pictures of the procedural city drive, made as they are asked for."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from rtseg.classes import CAMVID, ClassSet
from rtseg.config import Config
from rtseg.errors import ConfigError
from rtseg.training.datasets.dataset import (
    DATASETS,
    DatasetConfig,
    Sample,
    SegmentationDataset,
    UInt8,
    UInt16,
)

if TYPE_CHECKING:
    from rtseg.demo_drive import DemoDrive

MOST_DRIVES = 12
"""So many drives are kept, about 70 MB each; a further one takes the place of the oldest."""


class DriveSplit(Config):
    """The drives of a split."""

    seeds: list[Annotated[int, Field(ge=0)]] = Field(
        min_length=1, description="One drive per seed; each its own city."
    )
    pictures_per_seed: int = Field(ge=1, description="Pictures from each drive.")


class DemoConfig(DatasetConfig):
    """Pictures of the demo drive, evenly spaced in time."""

    width_px: int = Field(480, ge=64, description="Width of the pictures.")
    height_px: int = Field(360, ge=48, description="Height of the pictures.")
    fps: float = Field(30.0, gt=0, description="Frames per second of the drives.")
    spacing_s: float = Field(
        2.0, gt=0, description="Time between neighbouring pictures of one drive, in seconds."
    )
    splits: dict[str, DriveSplit] = Field(
        min_length=1, description="The splits by name; no seed may stand in two."
    )

    @model_validator(mode="after")
    def _check(self) -> DemoConfig:
        owner: dict[int, str] = {}
        for name, split in self.splits.items():
            for seed in split.seeds:
                if seed in owner:
                    raise ConfigError(
                        f"the seed {seed} stands in {owner[seed]!r} and in {name!r}; splits that "
                        "share a drive share pictures"
                    )
                owner[seed] = name
        return self

    def read_classes(self, folder: Path) -> ClassSet:
        """Return CamVid's classes, which the drive is drawn in."""
        return CAMVID

    def split_names(self, folder: Path) -> list[str]:
        """Return the splits."""
        return list(self.splits)

    def open(self, split: str, folder: Path) -> SegmentationDataset:
        """Return the drives of a split; draws nothing yet."""
        return DemoDataset(self, split)


class DemoDataset(SegmentationDataset):
    """The pictures of several demo drives, drive by drive; a drive is built when it is needed."""

    has_instances = True

    def __init__(self, config: DemoConfig, split: str) -> None:
        chosen = config.splits[split]
        step = max(1, round(config.spacing_s * config.fps))
        self._drives = _Drives(config)
        self._pictures = [
            (seed, step * index)
            for seed in chosen.seeds
            for index in range(chosen.pictures_per_seed)
        ]
        names = [f"seed{seed:04d}_{frame:06d}" for seed, frame in self._pictures]
        super().__init__(CAMVID, names)

    def __getitem__(self, index: int) -> Sample:
        seed, frame = self._pictures[index]
        image, labels, instances = self._drives.render(seed, frame)
        return Sample(image, labels, self.names[index], instances)


class _Drives:
    """The drives used last. A drive fills its textures as it goes: one thread at a time in each."""

    def __init__(self, config: DemoConfig) -> None:
        self._config = config
        self._lock = Lock()
        self._kept: OrderedDict[int, tuple[DemoDrive, Lock]] = OrderedDict()

    def render(self, seed: int, frame: int) -> tuple[UInt8, UInt8, UInt16]:
        """Return a frame's picture, labels and objects."""
        drive, lock = self._drive(seed)
        with lock:
            return drive.render_instances(frame)

    def _drive(self, seed: int) -> tuple[DemoDrive, Lock]:
        from rtseg.demo_drive import DemoDrive  # only who drives it loads the renderer

        config = self._config
        with self._lock:
            if seed not in self._kept:
                drive = DemoDrive(seed, config.width_px, config.height_px, config.fps)
                self._kept[seed] = drive, Lock()
                if len(self._kept) > MOST_DRIVES:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(seed)
            return self._kept[seed]


DATASETS.add("demo", DemoConfig)
