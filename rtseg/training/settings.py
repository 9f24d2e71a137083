"""What one training is: every key of a file in configs/train/."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from rtseg.classes import ClassSet
from rtseg.config import Config
from rtseg.errors import ConfigError
from rtseg.networks.binary import NUM_CLASSES as NUM_BINARY_CLASSES
from rtseg.training.augment import AugmentConfig
from rtseg.training.criterion import CriterionConfig
from rtseg.training.datasets import DataSource
from rtseg.training.optim import OptimConfig
from rtseg.training.schedule import ScheduleConfig

CropHW = tuple[Annotated[int, Field(ge=8, le=8192)], Annotated[int, Field(ge=8, le=8192)]]
"""Height and width of the training crops, pixels."""


class NetworkConfig(Config):
    """Which network is trained."""

    name: str = Field(description="A registered network; `rtseg networks` lists them.")
    binary: bool = Field(
        default=False,
        description="One channel instead of one for each class: its sigmoid is the probability of "
        "the data's second class, the object; the first is the background. Needs data of two "
        "classes.",
    )

    def num_outputs(self, classes: ClassSet) -> int:
        """Return the channels of the network's logits.

        Raises:
            ConfigError: the network is to be binary, but there are not two classes.
        """
        if self.binary and len(classes) != NUM_BINARY_CLASSES:
            raise ConfigError(
                f"network.binary needs data of {NUM_BINARY_CLASSES} classes, background and "
                f"object; {classes.name!r} has {len(classes)}: leave it out, or read the data "
                "with a file of the layout 'mapped'"
            )
        return 1 if self.binary else len(classes)


class DataConfig(Config):
    """Which pictures are learned from and which measure the progress."""

    train: list[DataSource] = Field(min_length=1, description="The training pictures.")
    val: list[DataSource] = Field(
        min_length=1, description="The pictures that choose the best weights."
    )
    cache: Literal["memory", "disk"] = Field(
        default="memory",
        description="memory: decode all training pictures once (on a GPU they lie there); disk: "
        "decode each as it is needed.",
    )


class StageConfig(Config):
    """A stretch of epochs with one crop size and batch size."""

    epochs: int = Field(ge=1, description="Its length.")
    crop_hw: CropHW | None = Field(default=None, description="By default the training's crop_hw.")
    batch_size: int | None = Field(
        default=None, ge=1, description="By default the training's train.batch_size."
    )


class InitConfig(Config):
    """Weights to start from."""

    weights: str = Field(description="A shipped name, or a file relative to the configuration.")
    new_head: bool = Field(
        default=False,
        description="Start the layers that end in classes afresh, for another number of classes.",
    )
    encoder_only: bool = Field(
        default=False,
        description="Take the encoder alone, from weights of any network that has the same one.",
    )


class DistillConfig(Config):
    """A trained network to learn from besides the labels; see criterion.distillation."""

    weights: str = Field(description="A shipped name, or a file relative to the configuration.")


class LoopConfig(Config):
    """How the training runs."""

    epochs: int = Field(default=90, ge=1, description="Passes over the training pictures.")
    batch_size: int = Field(
        default=8,
        ge=1,
        description="Pictures per step, over all processes and accumulated parts together.",
    )
    accumulate: int = Field(
        default=1,
        ge=1,
        description="Parts that a process splits its share of a batch into, to save memory.",
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", description="auto: bf16 where the device computes in it, else fp32."
    )
    channels_last: bool = Field(default=True, description="Keep channels innermost in memory.")
    compile: bool = Field(
        default=False, description="Compile the step with torch.compile; C++ needed."
    )
    ema_decay: float | None = Field(
        default=0.999,
        gt=0,
        lt=1,
        description="Decay of the running average of the weights; null: none.",
    )
    clip: float | None = Field(
        default=5.0, gt=0, description="Largest norm of the gradient; null: any."
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="The start of everything random.")
    deterministic: bool = Field(
        default=False,
        description="Only operations that repeat themselves bit for bit; slower on a GPU.",
    )
    validate_every: int = Field(
        default=5, ge=1, description="Epochs; the last one always validates."
    )
    validate_flip: bool = Field(
        default=False, description="Average with the mirrored picture's logits."
    )
    early_stop: int | None = Field(
        default=None,
        ge=1,
        description="Stop after so many validations without a better one; null: never.",
    )
    save_every_minutes: float = Field(
        default=5.0, ge=0, description="Minutes between checkpoints within an epoch."
    )
    max_minutes: float | None = Field(
        default=None, gt=0, description="Stop after so many minutes of training; null: never."
    )


class TrainConfig(Config):
    """One complete, named training; paths are relative to the file that holds it."""

    name: str = Field(description="The run's name: of its folder, and in the model card.")
    network: NetworkConfig
    data: DataConfig
    evaluate: dict[str, list[DataSource]] = Field(
        default_factory=dict,
        description="Further data to score the finished network on, by name.",
    )
    crop_hw: CropHW = Field(description="Height and width of the training crops, pixels.")
    augment: AugmentConfig = AugmentConfig()
    criterion: CriterionConfig = CriterionConfig()
    optim: OptimConfig = OptimConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    train: LoopConfig = LoopConfig()
    stages: list[StageConfig] = Field(
        default_factory=list,
        description="Stretches with their own crop and batch size, instead of train.epochs.",
    )
    init: InitConfig | None = Field(
        default=None, description="Weights to start from; null: afresh."
    )
    distill: DistillConfig | None = Field(default=None, description="A teacher; null: none.")
    export: list[dict[str, Any]] = Field(
        default_factory=list,
        description="Engines to build of the best weights at the end: each the settings of one "
        "`rtseg export`, such as {backend: tensorrt, precision: fp16, size_wh: [512, 288]}.",
    )
    licence: str = Field(
        default="", description="The licence of the trained weights, for the model card."
    )

    @field_validator("name")
    @classmethod
    def _name_is_a_file_name(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", name):
            raise ValueError("letters, digits and . _ + - make a name that can be a folder's")
        return name

    @model_validator(mode="after")
    def _parts_agree(self) -> TrainConfig:
        if self.stages and "epochs" in self.train.model_fields_set:
            raise ValueError("give either stages, each with its epochs, or train.epochs")
        if self.criterion.distillation is not None and self.distill is None:
            raise ValueError("criterion.distillation needs a teacher: distill: {weights: …}")
        if "val" in self.evaluate:
            raise ValueError("evaluate: the name 'val' stands for data.val already")
        return self

    @property
    def all_stages(self) -> list[StageConfig]:
        """The stages with nothing left open; one, if the file gives none."""
        stages = self.stages or [StageConfig(epochs=self.train.epochs)]
        return [
            StageConfig(
                epochs=stage.epochs,
                crop_hw=stage.crop_hw or self.crop_hw,
                batch_size=stage.batch_size or self.train.batch_size,
            )
            for stage in stages
        ]


def weights_path(name_or_path: str, config_dir: Path) -> str:
    """Return what `load_trained` takes: a file relative to the configuration, or a shipped name."""
    beside = config_dir / name_or_path
    return str(beside) if beside.is_file() else name_or_path
