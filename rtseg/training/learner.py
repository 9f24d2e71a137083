"""One step of learning: a batch in, changed weights out."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from rtseg.device import autocast
from rtseg.errors import TrainingError
from rtseg.networks import SegmentationNetwork
from rtseg.networks.trained import load_state_strict
from rtseg.training.batches import Batch, Part
from rtseg.training.criterion import Criterion
from rtseg.training.distributed import Processes
from rtseg.training.ema import ExponentialAverage
from rtseg.training.object_targets import ObjectTargets
from rtseg.training.optim import build_optimizer, set_lr
from rtseg.training.predictor import predict_logits
from rtseg.training.schedule import Plateau, Schedule
from rtseg.training.settings import LoopConfig, TrainConfig


class NetworkWithLoss(nn.Module):
    """Network and criterion as one module, so that several processes or a compiler see it whole.

    Args:
        network: its `forward_train` is run under autocast.
        criterion: runs in float32.
        dtype: of the network's convolutions.
    """

    def __init__(
        self, network: SegmentationNetwork, criterion: Criterion, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.network = network
        self.criterion = criterion
        self.dtype = dtype

    def forward(
        self,
        images: Tensor,
        labels: Tensor,
        teacher_logits: Tensor | None = None,
        objects: ObjectTargets | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss and its parts by name; see `Criterion`."""
        with autocast(images.device, self.dtype):
            outputs = self.network.forward_train(images)
        loss, parts = self.criterion(outputs, labels, teacher_logits, objects)
        return loss, parts


class Learner:
    """Everything that a training changes: weights, their average, the optimiser, the best so far.

    Args:
        config: the training's.
        network: on the device, in the memory format that it is to have.
        criterion: on the device.
        schedule: of the learning rate.
        dtype: of the convolutions.
        processes: that train together.
        teacher: to learn from besides the labels: in evaluation mode, on the device.
        fresh: names of parameters that `init` left as they were drawn.
    """

    def __init__(
        self,
        config: TrainConfig,
        network: SegmentationNetwork,
        criterion: Criterion,
        schedule: Schedule,
        dtype: torch.dtype,
        processes: Processes,
        teacher: SegmentationNetwork | None = None,
        fresh: Collection[str] = (),
    ) -> None:
        self.config: LoopConfig = config.train
        self.lr = config.optim.lr
        self.network = network
        self.schedule = schedule
        self.processes = processes
        self.teacher = teacher
        self.dtype = dtype
        self.plateau = Plateau.from_config(config.schedule)
        self.ema = (
            ExponentialAverage(network, self.config.ema_decay) if self.config.ema_decay else None
        )
        self.optimizer = build_optimizer(config.optim, network, fresh)
        module = NetworkWithLoss(network, criterion, dtype)
        if self.config.compile:
            module.compile(dynamic=False)
        self._module = processes.wrap(module)

    @property
    def best_network(self) -> SegmentationNetwork:
        """The network to measure and to keep: the average where there is one."""
        return self.ema.network if self.ema else self.network

    def lr_at(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.lr * self.schedule.factor(step) * self.plateau.lr_factor

    def learn(self, batch: Batch, step: int, rank_seed: int) -> dict[str, Tensor]:
        """Take one step and return what it was like, without waiting for the device.

        Args:
            batch: this process's share.
            step: over the whole training, counted from 0.
            rank_seed: for what is random within the network, such as dropout.

        Returns:
            Float32 scalars: the ``loss``, the gradient's ``grad_norm`` before clipping and the
            parts of the loss, averaged over all processes.

        Raises:
            TrainingError: the device's memory is too small for the batch, or the batch for the
                network.
        """
        torch.manual_seed(rank_seed)
        set_lr(self.optimizer, self.lr_at(step))
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        with _readable_errors(batch):
            measures = self._gradients(batch)
        norm = self._clip()
        self.optimizer.step()
        if self.ema:
            self.ema.update()
        values = self.processes.mean_(torch.stack(list(measures.values())))
        names = {name: values[place] for place, name in enumerate(measures)}
        return {"loss": names.pop("loss"), "grad_norm": norm, **names}

    def _gradients(self, batch: Batch) -> dict[str, Tensor]:
        """Add up the gradients of the batch's parts; return the mean loss and its parts."""
        count = len(batch.parts)
        sums: dict[str, Tensor] = {}
        for place, part in enumerate(batch.parts, start=1):
            if place < count:
                with self.processes.without_sync(self._module):
                    measures = self._backward(part, count)
            else:
                measures = self._backward(part, count)
            sums = {name: sums.get(name, 0) + value for name, value in measures.items()}
        return sums

    def _backward(self, part: Part, count: int) -> dict[str, Tensor]:
        teacher_logits = self._teacher_logits(part.images)
        loss, parts = self._module(part.images, part.labels, teacher_logits, part.objects)
        (loss / count).backward()
        return {name: part / count for name, part in {"loss": loss.detach(), **parts}.items()}

    @torch.no_grad()
    def _teacher_logits(self, images: Tensor) -> Tensor | None:
        if self.teacher is None:
            return None
        with autocast(images.device, self.dtype):
            return predict_logits(self.teacher, images, (images.shape[-2], images.shape[-1]))

    def _clip(self) -> Tensor:
        """Bring the gradient's norm down to its limit; return the norm that it had."""
        limit = self.config.clip or float("inf")
        return nn.utils.clip_grad_norm_(self.network.parameters(), limit)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: tensors and plain values."""
        return {
            "network": self.network.state_dict(),
            "ema": self.ema.state_dict() if self.ema else None,
            "optimizer": self.optimizer.state_dict(),
            "plateau": self.plateau.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any], origin: str) -> None:
        """Go on from what `state_dict` returned.

        Raises:
            WeightsError: the weights are another network's; lists every key that doesn't fit.
        """
        load_state_strict(self.network, state["network"], origin)
        if self.ema:
            load_state_strict(self.ema.network, state["ema"]["network"], f"{origin} (average)")
            self.ema.updates = int(state["ema"]["updates"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.plateau.load_state_dict(state["plateau"])


@contextmanager
def _readable_errors(batch: Batch) -> Iterator[None]:
    images = len(batch.parts[0].labels)
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"the device's memory is full with {images} pictures of {batch.hw[0]}x{batch.hw[1]}: "
            "take a smaller train.batch_size or crop_hw, or a larger train.accumulate"
        ) from error
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise TrainingError(
            f"batch normalisation can't learn from {images} picture at a time where the network "
            "pools it to one pixel: take a larger train.batch_size, or a smaller train.accumulate"
        ) from error
