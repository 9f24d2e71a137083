"""One training under way: its parts, where it stands, and how that is saved and taken up again."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import yaml

from rtseg.errors import ConfigError
from rtseg.networks.normalisation import Normalisation
from rtseg.training.batches import Batches
from rtseg.training.checkpoint import (
    check_config,
    load_checkpoint,
    save_checkpoint,
)
from rtseg.training.datasets.dataset import SegmentationDataset
from rtseg.training.distributed import Processes
from rtseg.training.events import Events
from rtseg.training.folder import RunFolder
from rtseg.training.history import EpochRecord, StepLog
from rtseg.training.learner import Learner
from rtseg.training.plan import Epoch, Plan
from rtseg.training.settings import TrainConfig
from rtseg.training.throughput import Throughput
from rtseg.whole_file import write_whole_file

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Session:
    """The parts of a training, and where it stands.

    Args:
        config: of the training.
        config_dir: what paths in it are relative to.
        folder: where it writes.
        group: the processes that train together.
        normalisation: what the network's pictures go through.
        plan: all steps.
        batches: makes them.
        learner: takes them.
        val: the pictures that choose the best weights.
        extra: further pictures to score the finished network on, by name.
        precision: of the network's convolutions.
        origin: where the first weights came from.
        step: steps taken.
        epochs: epochs taken, the validation of each included.
        losses: of the steps of the epoch that is under way.
    """

    config: TrainConfig
    config_dir: Path
    folder: RunFolder
    group: Processes
    normalisation: Normalisation
    plan: Plan
    batches: Batches
    learner: Learner
    val: SegmentationDataset
    extra: dict[str, SegmentationDataset]
    precision: torch.dtype
    origin: str
    step: int = 0
    epochs: list[EpochRecord] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    _seconds_before: float = 0.0
    _started_s: float = field(default_factory=time.monotonic)
    _saved_s: float = field(default_factory=time.monotonic)

    @property
    def minutes(self) -> float:
        """Minutes of training, those before an interruption included."""
        return (self._seconds_before + time.monotonic() - self._started_s) / 60

    @property
    def ending(self) -> str | None:
        """Why there is no further epoch; None if there is one."""
        limit = self.config.train.early_stop
        if len(self.epochs) == len(self.plan.epochs):
            return "finished"
        if limit is not None and self.learner.plateau.since_best >= limit:
            return f"stopped early: {limit} validations without a better one"
        return "stopped: train.max_minutes is over" if self.time_is_up else None

    @property
    def time_is_up(self) -> bool:
        """Whether ``max_minutes`` is over in any process; waits for all of them."""
        limit = self.config.train.max_minutes
        return limit is not None and self.group.any(self.minutes >= limit)

    @property
    def save_is_due(self) -> bool:
        """Whether the last checkpoint is older than ``save_every_minutes``."""
        age_s = time.monotonic() - self._saved_s
        return self.group.is_main and age_s >= 60 * self.config.train.save_every_minutes

    @property
    def step_seed(self) -> int:
        """The seed of what is random within the network at this step, in this process."""
        sequence = np.random.SeedSequence([self.config.train.seed, self.step, self.group.rank])
        return int(sequence.generate_state(1)[0])

    def open_steps(self) -> StepLog:
        """Return the log of steps, set back to where the session stands."""
        path = self.folder.steps if self.group.is_main else None
        return StepLog(path, self.step, self.losses, self.folder.last)

    def open_events(self) -> Events:
        """Return the curves for TensorBoard, set back to where the session stands."""
        return Events(self.folder.events if self.group.is_main else None, self.step)

    def end_epoch(self, epoch: Epoch, rates: Throughput, val: dict[str, float]) -> EpochRecord:
        """Take note of an epoch whose steps are all taken."""
        record = EpochRecord(
            epoch=epoch.index,
            step=self.step,
            lr=self.learner.lr_at(self.step - 1),
            loss=sum(self.losses) / len(self.losses),
            minutes=self.minutes,
            input_images_per_s=rates.input_images_per_s,
            step_images_per_s=rates.step_images_per_s,
            images_per_s=rates.together,
            val=val,
        )
        self.epochs.append(record)
        self.losses.clear()
        return record

    def write_config(self) -> None:
        """Write the complete configuration into the folder, defaults included."""
        if self.group.is_main:
            values = self.config.model_dump(mode="json")
            text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
            header = f"# as read from {self.config_dir}, which paths are relative to\n"
            write_whole_file(self.folder.config, lambda file: file.write((header + text).encode()))

    def save(self, steps: StepLog) -> None:
        """Write ``last.pt``, in the main process; the old one stays until the new one is whole.

        Raises:
            TrainingError: the newest loss is not a number; nothing is written then.
        """
        steps.flush()
        if self.group.is_main:
            state = {
                "config": self.config.model_dump(mode="json"),
                "learner": self.learner.state_dict(),
                "step": self.step,
                "epochs": [record.to_dict() for record in self.epochs],
                "losses": self.losses,
                "seconds": 60 * self.minutes,
                "total_steps": self.plan.total_steps,
            }
            save_checkpoint(self.folder.last, state)
        self._saved_s = time.monotonic()

    def restore(self) -> None:
        """Go on from ``last.pt``; without one, stay at the first step.

        Raises:
            WeightsError: it can't be read, or holds another network.
            ConfigError: it is of another training, or of other pictures.
        """
        path = self.folder.last
        if not path.is_file():
            log.warning("%s: no checkpoint yet, so the training begins", path)
            return
        state = load_checkpoint(path)
        for change in check_config(state["config"], self.config.model_dump(mode="json"), path):
            log.warning("changed since the checkpoint: %s", change)
        if state["total_steps"] != self.plan.total_steps:
            raise ConfigError(
                f"{path} plans {state['total_steps']} steps, this training "
                f"{self.plan.total_steps}: the training pictures are not the same; bring them "
                "back, or start a new run with --output"
            )
        self.learner.load_state_dict(state["learner"], str(path))
        self.step, self.losses = int(state["step"]), list(state["losses"])
        self.epochs = [EpochRecord(**record) for record in state["epochs"]]
        self._seconds_before = state["seconds"]
