"""A training, from its configuration to trained weights: the loop, in plain sight.

Stopping it at any moment loses minutes at most: batches, learning rates and the network's own
randomness are pure functions of the seed and the step, so that a training that goes on from a
checkpoint takes the same steps as one that was never interrupted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rtseg.errors import DataError
from rtseg.training.distributed import processes
from rtseg.training.events import Events
from rtseg.training.folder import RunFolder
from rtseg.training.history import StepLog
from rtseg.training.progress import Display, watch
from rtseg.training.report import write_report
from rtseg.training.session import Session
from rtseg.training.settings import TrainConfig
from rtseg.training.setup import open_session
from rtseg.training.stopping import Interrupted, StopSignals
from rtseg.training.throughput import Throughput
from rtseg.training.validation import validate


@dataclass(frozen=True, slots=True)
class TrainResult:
    """How a training ended.

    Args:
        reason: in words.
        complete: False where a signal ended it before its end: `train` with ``resume`` goes on.
        signal: the number of that signal, 0 without one.
        folder: what it wrote.
        metrics: the content of ``metrics.json``; empty if not complete, and in processes that
            aren't the main one.
    """

    reason: str
    complete: bool
    signal: int
    folder: RunFolder
    metrics: dict[str, Any]


def train(
    config: TrainConfig,
    config_dir: Path,
    output_dir: Path,
    resume: bool = False,
    device: str = "auto",
) -> TrainResult:
    """Train a network and write weights, checkpoints and a report into a folder.

    Args:
        config: the training.
        config_dir: what relative paths in it start from.
        output_dir: the folder; one that holds a run already is refused if not to resume it.
        resume: go on from the folder's ``last.pt``; begin afresh where there is none yet.
        device: "auto", "cpu", "cuda" or "cuda:N"; under torchrun each process takes its own GPU.

    Raises:
        RtsegError: the configuration, the data, a weights file or the folder can't be used.
        TrainingError: the loss is not a number; the last checkpoint is as it was.
    """
    folder = RunFolder(output_dir)
    with processes(device) as group, StopSignals() as signals, Display(group.is_main) as display:
        with folder.claim(resume, group.is_main):
            try:
                reading = watch(group, signals, display, "reading pictures")
                session = open_session(config, config_dir, folder, group, reading)
                if resume:
                    session.restore()
                session.write_config()
                with session.batches.store:
                    reason = _learn(session, signals, display)
                metrics = write_report(session, partial(watch, group, signals, display), reason)
            except Interrupted as interruption:
                return TrainResult(str(interruption), False, signals.number, folder, {})
        return TrainResult(reason, True, 0, folder, metrics)


def _learn(session: Session, signals: StopSignals, display: Display) -> str:
    """Take the epochs that are left; return why there is none left.

    Raises:
        Interrupted: a signal came; the state is saved.
        DataError: a picture can't be read any more; the state is saved.
    """
    display.begin(session.plan, session.step)
    with session.open_steps() as steps, session.open_events() as events:
        try:
            while (reason := session.ending) is None:
                _take_epoch(session, steps, events, signals, display)
        except (Interrupted, DataError):
            session.save(steps)
            raise
        session.save(steps)
    return reason


def _take_epoch(
    session: Session, steps: StepLog, events: Events, signals: StopSignals, display: Display
) -> None:
    """Take the steps of an epoch that are left, then validate if it is time to."""
    epoch, rates = session.plan.epochs[len(session.epochs)], Throughput()
    batches = session.batches.of_epoch(epoch, session.step - epoch.first_step)
    for batch in rates.watch(batches):
        lr = session.learner.lr_at(session.step)
        values = session.learner.learn(batch, session.step, session.step_seed)
        steps.add(session.step, epoch.index, lr, values)
        session.step += 1
        display.step(epoch, session.step, steps.latest)
        events.step(session.step, lr, steps.latest)
        if session.save_is_due:
            session.save(steps)
        signals.check(session.group, session.step)
        if session.time_is_up:
            return
    steps.flush()
    progress = watch(session.group, signals, display, "validating")
    record = session.end_epoch(epoch, rates, validate(session, epoch, progress))
    display.epoch(record)
    events.epoch(record)
