"""The folder of one run: what its files are called, and that no run overwrites another."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtseg.errors import ConfigError

LOCK = ".lock"


class RunFolder:
    """Where a training writes.

    Args:
        path: the folder; made by `claim`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.last = path / "last.pt"
        self.best = path / "best.safetensors"
        self.final = path / "final.safetensors"
        self.steps = path / "steps.csv"
        self.metrics = path / "metrics.json"
        self.card = path / "model_card.md"
        self.curves = path / "curves.png"
        self.thresholds = path / "thresholds.png"
        self.pictures = path / "validation.png"
        self.page = path / "validation.html"
        self.events = path / "tensorboard"

    @contextmanager
    def claim(self, resume: bool, is_main: bool = True) -> Iterator[None]:
        """Make the folder and hold it against other trainings, until the context is left.

        Args:
            resume: a run that the folder holds already is to go on.
            is_main: False in the other processes of the same training.

        Raises:
            ConfigError: it holds a run already and `resume` is False, another training writes
                into it, or it can't be made.
        """
        self._refuse_overwriting(resume)
        if not is_main:
            yield
            return
        with self._locked():
            for partial in self.path.glob(".*.part*"):  # of writes that a kill cut short
                partial.unlink()
            yield

    def _refuse_overwriting(self, resume: bool) -> None:
        held = [path.name for path in (self.last, self.best, self.final) if path.exists()]
        if held and not resume:
            raise ConfigError(
                f"{self.path} holds a run already ({', '.join(held)}): add --resume to go on with "
                "it, or --output with another folder to start a new one"
            )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / LOCK).open("w")
        except OSError as error:
            raise ConfigError(
                f"can't write into the output folder {self.path}: {error.strerror}; choose "
                "another with --output"
            ) from error
        with lock:
            try:
                fcntl.flock(
                    lock, fcntl.LOCK_EX | fcntl.LOCK_NB
                )  # ends with the process, kill -9 too
            except BlockingIOError:
                raise ConfigError(
                    f"another training is writing into {self.path}: wait for it, or choose another "
                    "folder with --output"
                ) from None
            try:
                yield
            finally:
                self._remove_if_empty()

    def _remove_if_empty(self) -> None:
        """Leave no trace of a training that failed before it wrote anything."""
        if [path.name for path in self.path.iterdir()] == [LOCK]:
            (self.path / LOCK).unlink()
            self.path.rmdir()
