"""What a person watches while a network learns: a live display, or plain lines in a log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from rtseg.training.distributed import Processes
from rtseg.training.history import EpochRecord
from rtseg.training.plan import Epoch, Plan
from rtseg.training.stopping import StopSignals

log = logging.getLogger(__name__)

LINE_EVERY_S = 30.0
"""How often a log gets a line within an epoch."""


class Display:
    """Shows steps, epochs and passes over pictures. A context manager.

    Args:
        shown: False in processes that aren't the main one.
        console: where a terminal is; by default standard error.
    """

    def __init__(self, shown: bool = True, console: Console | None = None) -> None:
        self._shown = shown
        console = console or Console(stderr=True)
        self._live = _live_progress(console) if shown and console.is_terminal else None
        self._steps = self._pictures = TaskID(0)
        self._num_epochs = self._total_steps = 0
        self._next_line_s = 0.0

    def __enter__(self) -> Display:
        if self._live:
            self._steps = self._live.add_task("training", visible=False, numbers="")
            self._pictures = self._live.add_task("", visible=False, numbers="")
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def begin(self, plan: Plan, step: int) -> None:
        """Show a training that stands at `step`."""
        self._num_epochs, self._total_steps = len(plan.epochs), plan.total_steps
        if self._live:
            self._live.update(self._steps, total=plan.total_steps, completed=step, visible=True)

    def line(self, text: str) -> None:
        """Say something that stays on the screen."""
        if self._live:
            self._live.console.print(text, markup=False, highlight=False)
        elif self._shown:
            log.info(text)

    def step(self, epoch: Epoch, step: int, values: Mapping[str, float]) -> None:
        """Show how many steps are taken, and the newest loss that is known."""
        if not self._shown or not values:
            return
        title = f"epoch {epoch.index + 1}/{self._num_epochs}"
        numbers = f"loss {values['loss']:.4f}"
        if self._live:
            self._live.update(self._steps, completed=step, description=title, numbers=numbers)
        elif time.monotonic() >= self._next_line_s:
            self._next_line_s = time.monotonic() + LINE_EVERY_S
            log.info("%s, step %d/%d: %s", title, step, self._total_steps, numbers)

    def pictures(self, what: str, done: int, total: int) -> None:
        """Show how far a pass over pictures is; it disappears at its end."""
        if self._live:
            self._live.update(
                self._pictures,
                description=what,
                completed=done,
                total=total,
                visible=done < total,
            )

    def epoch(self, record: EpochRecord) -> None:
        """Say how an epoch went."""
        val = "".join(
            f", val {name} {100 * record.val[key]:.2f} %"
            for name, key in (("mIoU", "mean_iou"), ("pixel accuracy", "pixel_accuracy"))
            if key in record.val
        )
        speed = (
            f"{record.images_per_s:.1f} images/s (input alone {record.input_images_per_s:.1f}, "
            f"step alone {record.step_images_per_s:.1f}), "
            if record.images_per_s
            else ""  # an epoch whose steps were all taken before an interruption
        )
        self.line(
            f"epoch {record.epoch + 1}/{self._num_epochs}: loss {record.loss:.4f}{val}, "
            f"lr {record.lr:.2e}, {speed}{record.minutes:.1f} min"
        )


def watch(
    group: Processes, signals: StopSignals, display: Display, what: str
) -> Callable[[int, int], None]:
    """Return a callback (done, total) that shows a pass over pictures.

    In a lone process a signal ends the pass; several would no longer agree on where they stand.
    """

    def progress(done: int, total: int) -> None:
        display.pictures(what, done, total)
        if group.world_size == 1:
            signals.check(group)

    return progress


def _live_progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[numbers]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
