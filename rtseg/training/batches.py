"""Batches on the training device, each a pure function of the seed, the epoch and the step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from torch import Tensor

from rtseg.networks.normalisation import Normalisation
from rtseg.training.augment import AugmentConfig, Augmenter
from rtseg.training.memory import PictureStore
from rtseg.training.object_targets import ObjectTargets
from rtseg.training.plan import Epoch, Plan


class Part(NamedTuple):
    """Pictures of a step that go through the network together.

    Args:
        images: float32 [N, 3, h, w], normalised RGB.
        labels: int64 [N, h, w].
        objects: what there is to learn of their objects; None where no head asks for it.
    """

    images: Tensor
    labels: Tensor
    objects: ObjectTargets | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """This process's share of a step.

    Args:
        step: of the epoch, counted from 0.
        parts: one for each part that gradients are accumulated over.
        prepare_s: what it took to make.
    """

    step: int
    parts: list[Part]
    prepare_s: float

    @property
    def hw(self) -> tuple[int, int]:
        """Height and width of the pictures."""
        height, width = self.parts[0].labels.shape[-2:]
        return height, width


@dataclass(frozen=True, slots=True)
class Batches:
    """Makes the batches of one process.

    Args:
        store: the training pictures.
        plan: which picture comes when.
        augment: how pictures are changed.
        normalisation: the network's.
        seed: of the order and the augmentation.
        rank: of this process.
        world_size: number of processes that share a batch.
        accumulate: parts of this process's share.
        ahead: prepare the next batch in a thread meanwhile. It pays where the step itself leaves
            the processor alone: on a GPU. The batches are the same.
        objects: whether the targets of instance heads are wanted.
    """

    store: PictureStore
    plan: Plan
    augment: AugmentConfig
    normalisation: Normalisation
    seed: int
    rank: int = 0
    world_size: int = 1
    accumulate: int = 1
    ahead: bool = False
    objects: bool = False

    def of_epoch(self, epoch: Epoch, first_step: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, from its step `first_step` on."""
        augmenter = Augmenter(self.augment, epoch.crop_hw, self.normalisation)
        if not self.ahead:
            for step in range(first_step, epoch.steps):
                yield self._make(augmenter, epoch, step)
            return
        with ThreadPoolExecutor(1, thread_name_prefix="next-batch") as thread:
            coming: Future[Batch] | None = None
            for step in range(first_step, epoch.steps):
                batch = coming.result() if coming else self._make(augmenter, epoch, step)
                if step + 1 < epoch.steps:
                    coming = thread.submit(self._make, augmenter, epoch, step + 1)
                yield batch

    def _make(self, augmenter: Augmenter, epoch: Epoch, step: int) -> Batch:
        started = time.perf_counter()
        own = self._own_parts(epoch, step)
        if step + 1 < epoch.steps:
            coming = self._own_parts(epoch, step + 1)
            self.store.prefetch([index for indices in coming.values() for index in indices])
        make = augmenter.with_objects if self.objects else augmenter
        parts = [
            Part(*make(self.store, indices, self._rng(epoch, step, part)))
            for part, indices in own.items()
        ]
        return Batch(step, parts, time.perf_counter() - started)

    def _own_parts(self, epoch: Epoch, step: int) -> dict[int, list[int]]:
        """Return the pictures of this process's parts, by the part's number in the whole batch."""
        indices = self.plan.indices(epoch, step, self.seed)
        parts = np.split(indices, self.world_size * self.accumulate)
        first = self.rank * self.accumulate
        return {part: parts[part].tolist() for part in range(first, first + self.accumulate)}

    def _rng(self, epoch: Epoch, step: int, part: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, epoch.index, step, part])
