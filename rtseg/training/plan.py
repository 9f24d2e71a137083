"""The whole training in steps: known before the first one, so that any of them can be the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtseg.errors import ConfigError
from rtseg.training.settings import StageConfig


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training pictures.

    Args:
        index: counted from 0 over the whole training.
        first_step: the step, over the whole training, that it begins with.
        steps: how many it has.
        crop_hw: height and width of its crops.
        batch_size: pictures per step, over all processes.
    """

    index: int
    first_step: int
    steps: int
    crop_hw: tuple[int, int]
    batch_size: int

    @property
    def end_step(self) -> int:
        """The step, over the whole training, that comes after it."""
        return self.first_step + self.steps


class Plan:
    """Every epoch of a training.

    Args:
        stages: with crop size and batch size.
        num_pictures: in the training set. What is left over after whole batches waits for the
            next epoch's order; a set smaller than a batch gives one, with pictures twice.
        parts: processes times accumulated parts that a batch is split into evenly.

    Raises:
        ConfigError: a batch can't be split so.
    """

    def __init__(self, stages: Sequence[StageConfig], num_pictures: int, parts: int = 1) -> None:
        self.num_pictures = num_pictures
        self.epochs: list[Epoch] = []
        step = 0
        for stage in stages:
            crop_hw, batch_size = stage.crop_hw, stage.batch_size
            assert crop_hw is not None
            assert batch_size is not None
            if batch_size % parts:
                raise ConfigError(
                    f"a batch of {batch_size} can't be split evenly over {parts} parts (processes "
                    f"times train.accumulate); take a multiple of {parts}"
                )
            for _ in range(stage.epochs):
                steps = max(1, num_pictures // batch_size)
                self.epochs.append(Epoch(len(self.epochs), step, steps, crop_hw, batch_size))
                step += steps
        self.total_steps = step

    def indices(self, epoch: Epoch, step: int, seed: int) -> npt.NDArray[np.int64]:
        """Return the pictures of the epoch's batch `step`, counted from 0; shuffled by the seed."""
        order = np.random.default_rng([seed, epoch.index]).permutation(self.num_pictures)
        start = step * epoch.batch_size
        return np.take(order, range(start, start + epoch.batch_size), mode="wrap")
