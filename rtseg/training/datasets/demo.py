"""The layout "demo": pictures of the procedural city drive, made as they are asked for."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from rtseg.classes import CAMVID, ClassSet
from rtseg.config import Config
from rtseg.errors import ConfigError
from rtseg.training.datasets.dataset import (
    DATASETS,
    DatasetConfig,
    Sample,
    SegmentationDataset,
)


class DriveSplit(Config):
    """The drives of a split."""

    seeds: list[int] = Field(min_length=1, description="One drive per seed; each its own city.")
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
    """The pictures of several demo drives, drive by drive."""

    def __init__(self, config: DemoConfig, split: str) -> None:
        from rtseg.demo_drive import DemoDrive  # the renderer is loaded by those who use it

        drives = config.splits[split]
        step = max(1, round(config.spacing_s * config.fps))
        self._drives = {
            seed: DemoDrive(seed, config.width_px, config.height_px, config.fps)
            for seed in drives.seeds
        }
        self._pictures = [
            (seed, step * index)
            for seed in drives.seeds
            for index in range(drives.pictures_per_seed)
        ]
        names = [f"seed{seed:04d}_{index:06d}" for seed, index in self._pictures]
        super().__init__(CAMVID, names)

    def __getitem__(self, index: int) -> Sample:
        seed, frame = self._pictures[index]
        image, labels = self._drives[seed].render(frame)
        return Sample(image, labels, self.names[index])


DATASETS.add("demo", DemoConfig)
