"""What a fair comparison of networks is: one recipe for all, every key of configs/compare/."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field

from rtseg.classes import ClassSet
from rtseg.config import Config
from rtseg.networks import NETWORKS, padded_hw
from rtseg.training.augment import AugmentConfig
from rtseg.training.criterion import CriterionConfig
from rtseg.training.datasets import DataSource
from rtseg.training.datasets.sources import load_dataset_config
from rtseg.training.optim import OptimConfig
from rtseg.training.schedule import ScheduleConfig
from rtseg.training.settings import CropHW, DataConfig, LoopConfig, NetworkConfig, TrainConfig

PictureHW = tuple[Annotated[int, Field(ge=8, le=8192)], Annotated[int, Field(ge=8, le=8192)]]
"""Height and width of pictures, pixels."""

HELD_OUT = "held-out"
"""The name of the pictures that `hold_out` takes from the training."""


class ScoringConfig(Config):
    """How finished networks are measured."""

    every: int = Field(
        default=1, ge=1, description="One of so many pictures is labelled, evenly spaced."
    )
    input_hw: PictureHW | None = Field(
        default=None,
        description="Height and width that pictures are brought to for the network; null: their "
        "own. Labels are compared at the pictures' own size.",
    )
    batch_size: int = Field(default=1, ge=1, description="Pictures that are labelled at a time.")


class LatencyConfig(Config):
    """How finished networks are timed: one picture at a time, in turns with the others."""

    input_hw: PictureHW = Field(
        default=(360, 480),
        description="Height and width; rounded up to what a network takes.",
    )
    passes: int = Field(
        default=10, ge=1, description="Pictures of a repetition, after one that warms up."
    )
    longest_s: float = Field(
        default=10.0, gt=0, description="A repetition ends after so many seconds, passes or not."
    )
    repetitions: int = Field(
        default=3, ge=1, description="Processes a network; those of all networks take turns."
    )


class ComparisonConfig(Config):
    """The conditions that are the same for every network."""

    train_split: str = Field(default="train", description="The pictures to learn from.")
    val_split: str = Field(default="val", description="Further pictures to measure on.")
    hold_out: list[str] = Field(
        default_factory=list,
        description='Training pictures whose names fit, such as "0001TP*", are measured on instead '
        "of learned from: a scene that no network has seen.",
    )
    crop_hw: CropHW = Field(
        default=(256, 320),
        description="Height and width of the training crops; rounded up to what a network takes.",
    )
    batch_size: int = Field(default=4, ge=1, description="Crops a step.")
    augment: AugmentConfig = AugmentConfig()
    criterion: CriterionConfig = CriterionConfig()
    optim: OptimConfig = OptimConfig()
    schedule: ScheduleConfig = Field(
        default=ScheduleConfig(), description="Over the share of the budget that is spent."
    )
    ema_decay: float | None = Field(
        default=0.99, gt=0, lt=1, description="Decay of the average of the weights; null: none."
    )
    clip: float | None = Field(
        default=5.0, gt=0, description="Largest norm of the gradient; null: any."
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", description="Of training, scoring and timing; see `rtseg train`."
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="The start of everything random.")
    scoring: ScoringConfig = ScoringConfig()
    latency: LatencyConfig = LatencyConfig()
    licence: str = Field(default="", description="The licence of the trained weights.")

    def train_config(self, network: str, data: Path) -> TrainConfig:
        """Return the training of one network.

        Args:
            network: its registered name.
            data: the data set's YAML file.

        Raises:
            UnknownNameError: no network has that name.
        """
        train = DataSource(data=data, split=self.train_split, exclude=self.hold_out)  # type: ignore[call-arg]
        val = DataSource(data=data, split=self.val_split)  # type: ignore[call-arg]
        held_out = DataSource(data=data, split=self.train_split, include=self.hold_out)  # type: ignore[call-arg]
        return TrainConfig(
            name=f"{network}-{data.stem}-compared",
            network=NetworkConfig(name=network),
            data=DataConfig(train=[train], val=[val]),
            evaluate={HELD_OUT: [held_out]} if self.hold_out else {},
            crop_hw=fitted_hw(network, self.crop_hw),
            augment=self.augment,
            criterion=self.criterion,
            optim=self.optim,
            schedule=self.schedule,
            train=LoopConfig(
                epochs=1,
                batch_size=self.batch_size,
                precision=self.precision,
                ema_decay=self.ema_decay,
                clip=self.clip,
                seed=self.seed,
            ),
            licence=self.licence,
        )


@functools.cache
def fitted_hw(network: str, hw: tuple[int, int]) -> tuple[int, int]:
    """Return the smallest height and width from `hw` up that the network called so takes.

    Raises:
        UnknownNameError: no network has that name.
    """
    with torch.device("meta"):
        built = NETWORKS[network].build(2)
    return padded_hw(hw, built.size_multiple, built.min_size)


def read_classes(data: Path) -> ClassSet:
    """Return the classes of a data set; opens no picture.

    Raises:
        ConfigError: its YAML file can't be used.
    """
    return load_dataset_config(data).read_classes(data.parent)
