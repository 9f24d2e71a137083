"""What happened so far: a line for every step in a file, a record for every epoch in memory."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from torch import Tensor

from rtseg.errors import TrainingError
from rtseg.whole_file import write_whole_file

FIRST_COLUMNS = ("step", "epoch", "lr")


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch.

    Args:
        epoch: counted from 0.
        step: steps of the whole training after it.
        lr: learning rate of its last step.
        loss: mean over its steps.
        minutes: of training since the beginning, after it.
        input_images_per_s: how fast batches are made, alone.
        step_images_per_s: how fast steps are, alone.
        images_per_s: how fast the two were together.
        val: measures of the validation after it; empty where there was none.
    """

    epoch: int
    step: int
    lr: float
    loss: float
    minutes: float
    input_images_per_s: float
    step_images_per_s: float
    images_per_s: float
    val: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


class StepLog:
    """Writes ``steps.csv``: step, epoch, learning rate, loss, gradient norm, parts of the loss.

    Numbers stand in full precision, so that two runs can be compared bit for bit. Lines are
    written one step late, so that reading a step's loss doesn't wait for the device; `flush`
    catches up. Use it as a context manager.

    Args:
        path: the file; None in processes that write nothing.
        first_step: lines of this step and later ones, from before an interruption, are removed.
        losses: each step's loss is appended, once it is known.
        last_checkpoint: what to name when the loss is not a number.
    """

    def __init__(
        self, path: Path | None, first_step: int, losses: list[float], last_checkpoint: Path
    ) -> None:
        self._losses = losses
        self._last_checkpoint = last_checkpoint
        self._pending: tuple[int, int, float, dict[str, Tensor]] | None = None
        self.latest: dict[str, float] = {}
        """The newest step's numbers that were read."""
        self._has_header = path is not None and _cut(path, first_step)
        self._file = path.open("a", newline="", encoding="utf-8") if path else None
        self._writer = csv.writer(self._file) if self._file else None

    def __enter__(self) -> StepLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file:
            self._file.close()

    def add(self, step: int, epoch: int, lr: float, values: Mapping[str, Tensor]) -> None:
        """Take a step's numbers, on the device still.

        Raises:
            TrainingError: the loss or gradient of the step before is not a number.
        """
        self._settle()
        self._pending = step, epoch, lr, dict(values)

    def flush(self) -> None:
        """Read, check and write what is pending; waits for the device.

        Raises:
            TrainingError: a loss or a gradient is not a number.
        """
        self._settle()
        if self._file:
            self._file.flush()

    def _settle(self) -> None:
        if self._pending is None:
            return
        (step, epoch, lr, tensors), self._pending = self._pending, None
        self.latest = {name: float(tensor) for name, tensor in tensors.items()}
        if not math.isfinite(self.latest["loss"] + self.latest["grad_norm"]):
            raise _not_a_number(step, epoch, lr, self.latest, self._last_checkpoint)
        self._losses.append(self.latest["loss"])
        if self._writer:
            if not self._has_header:
                self._writer.writerow([*FIRST_COLUMNS, *self.latest])
                self._has_header = True
            self._writer.writerow([step, epoch, repr(lr), *map(repr, self.latest.values())])


def read_steps(path: Path) -> dict[str, list[float]]:
    """Return the columns of a ``steps.csv`` by name; the names of FIRST_COLUMNS first."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    if not rows:
        return {}
    columns: Sequence[Sequence[str]] = list(zip(*rows[1:], strict=True)) or [()] * len(rows[0])
    return {
        name: [float(value) for value in values]
        for name, values in zip(rows[0], columns, strict=True)
    }


def _cut(path: Path, first_step: int) -> bool:
    """Leave only the header and the whole lines of steps before `first_step`; is there any?"""
    lines: list[str] = []
    if first_step > 0 and path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            lines = file.readlines()
    kept = lines[:1] + [
        line for line in lines[1:] if line.endswith("\n") and int(line.split(",")[0]) < first_step
    ]
    write_whole_file(path, lambda file: file.write("".join(kept).encode()))
    return bool(kept)


def _not_a_number(
    step: int, epoch: int, lr: float, values: Mapping[str, float], checkpoint: Path
) -> TrainingError:
    what = ", ".join(f"{name} {value:g}" for name, value in values.items())
    remedy = "a lower optim.lr, a smaller train.clip, or train.precision=fp32"
    way_out = (
        f"the checkpoint {checkpoint} is from before, and whole: go on from it with --resume and "
        f"--set {remedy}"
        if checkpoint.is_file()
        else f"no checkpoint had been saved: start again with {remedy}"
    )
    return TrainingError(
        f"the training broke down at step {step} (epoch {epoch + 1}, learning rate {lr:g}): "
        f"{what}; {way_out}"
    )
