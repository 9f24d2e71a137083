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
from rtseg.networks.trained import load_trained
from rtseg.training.batches import Batches
from rtseg.training.checkpoint import (
    check_config,
    load_checkpoint,
    save_checkpoint,
    write_atomically,
)
from rtseg.training.criterion import Criterion
from rtseg.training.datasets import open_sources
from rtseg.training.datasets.dataset import SegmentationDataset
from rtseg.training.device import pick_precision, precision_name, seed_everything
from rtseg.training.distributed import Processes
from rtseg.training.folder import RunFolder
from rtseg.training.history import EpochRecord
from rtseg.training.initial import initial_network
from rtseg.training.learner import Learner, Teacher
from rtseg.training.losses.distillation import DistillationConfig
from rtseg.training.memory import PictureStore
from rtseg.training.plan import Plan
from rtseg.training.schedule import Schedule
from rtseg.training.settings import TrainConfig, weights_path

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
        """Whether ``max_minutes`` is over."""
        limit = self.config.train.max_minutes
        return limit is not None and self.minutes >= limit

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

    def save(self) -> None:
        """Write ``last.pt``, in the main process; the old one stays until the new one is whole."""
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
        """Go on from ``last.pt``.

        Raises:
            WeightsError: it can't be read, or holds another network.
            ConfigError: it is of another training, or of other pictures.
        """
        path = self.folder.last
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
        self.step, self.losses = state["step"], list(state["losses"])
        self.epochs = [EpochRecord(**record) for record in state["epochs"]]
        self._seconds_before = state["seconds"]


def open_session(
    config: TrainConfig, config_dir: Path, folder: RunFolder, group: Processes
) -> Session:
    """Read the data and build everything that the training needs, at its first step.

    Raises:
        RtsegError: the data, a weights file or a name can't be used.
    """
    seed_everything(config.train.seed, config.train.deterministic)
    training, val = (open_sources(part, config_dir) for part in (config.data.train, config.data.val))
    if training.classes.names != val.classes.names:
        raise ConfigError(
            f"data.train has the classes of {training.classes.name!r}, data.val those of "
            f"{val.classes.name!r}; both need the same"
        )
    start = initial_network(config, training.classes, config_dir)
    parts = group.world_size * config.train.accumulate
    plan = Plan(config.all_stages, len(training), parts)
    precision = pick_precision(config.train.precision, group.device)
    store = PictureStore(training, group.device, config.data.cache)
    batches = Batches(
        store, plan, config.augment, start.normalisation, config.train.seed,
        group.rank, group.world_size, config.train.accumulate, group.device.type == "cuda",
    )  # fmt: skip
    layout = torch.channels_last if config.train.channels_last else torch.contiguous_format
    network = group.sync_batch_norm(start.network).to(group.device, memory_format=layout)
    teacher = _teacher(config, config_dir, training, group, precision)
    learner = Learner(
        config,
        network,
        _criterion(config, network.heads, store, teacher).to(group.device),
        Schedule(config.schedule, plan.total_steps),
        precision,
        group,
        teacher,
        start.fresh,
    )
    log.info(
        "%s: %d training and %d validation pictures, %d epochs, %d steps, %s on %s, weights %s",
        config.name, len(training), len(val), len(plan.epochs), plan.total_steps,
        precision_name(precision), group.device, start.origin,
    )  # fmt: skip
    return Session(
        config, config_dir, folder, group, start.normalisation, plan, batches, learner, val,
        precision, start.origin,
    )  # fmt: skip
