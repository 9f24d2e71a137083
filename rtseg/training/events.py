"""Curves for TensorBoard."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from rtseg.training.history import EpochRecord

log = logging.getLogger(__name__)

EVERY_STEPS = 10
"""How many steps lie between two points of a curve."""


class Events:
    """Writes TensorBoard's event files, where the package is installed. A context manager.

    Args:
        folder: where they go; None writes nothing.
        first_step: later points, from before an interruption, are hidden.
    """

    def __init__(self, folder: Path | None, first_step: int) -> None:
        self._writer: Any = None
        if folder is None:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            log.info("no TensorBoard curves: pip install 'rtseg[train]' brings the package")
            return
        self._writer = SummaryWriter(str(folder), purge_step=first_step if first_step else None)

    def __enter__(self) -> Events:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer:
            self._writer.close()

    def step(self, step: int, lr: float, values: Mapping[str, float]) -> None:
        """Add the numbers of a step, counted over the whole training, to their curves."""
        if self._writer and values and step % EVERY_STEPS == 0:
            for name, value in {"lr": lr, **values}.items():
                self._writer.add_scalar(f"train/{name}", value, step)

    def epoch(self, record: EpochRecord) -> None:
        """Add an epoch's numbers to their curves."""
        if not self._writer:
            return
        self._writer.add_scalar("train/epoch_loss", record.loss, record.step)
        self._writer.add_scalar("speed/images_per_s", record.images_per_s, record.step)
        for name, value in record.val.items():
            self._writer.add_scalar(f"val/{name}", value, record.step)
        self._writer.flush()
