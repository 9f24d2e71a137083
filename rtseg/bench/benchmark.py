"""The order of a benchmark: which process runs when, so that all cases meet the same machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from rtseg.bench.job import Case, Clip, Job, JobKind, Machine, Parts, Run
from rtseg.bench.report import CaseReport, Report
from rtseg.errors import RtsegError

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 3600.0
"""Building an engine may take many minutes on a small device."""
PART_FRAMES = 60
"""Frames of each stage alone; they are held in memory."""

Result = TypeVar("Result", bound=BaseModel)


class JobFailedError(RtsegError):
    """A process of a benchmark that ended without a result; the message is its last line."""


@dataclass(slots=True)
class Gathered:
    """What has been measured of one case so far."""

    case: Case
    build_s: float | None = None
    parts: Parts | None = None
    streams: list[Run] = field(default_factory=list)
    naives: list[Run] = field(default_factory=list)
    problem: str = ""

    def report(self) -> CaseReport:
        """Return it all."""
        return CaseReport(
            case=self.case,
            build_s=self.build_s,
            parts=self.parts,
            streams=tuple(self.streams),
            naives=tuple(self.naives),
            problem=self.problem,
        )


class Benchmark:
    """Measures cases in turns: every repetition visits all of them, each in a fresh process.

    Args:
        cases: the engines.
        source: a video file; None takes a clip of the demo drive.
        frames: how many of its frames each run takes, at most.
        repetitions: how often each case runs.
        folder: for recordings and the clip; the caller removes it.
        command: starts a process that calls `rtseg.bench.worker.work`.
        build: returns the command that builds the engine of a case; None builds nothing.
        naive: measure the loop, too.
        parts: measure each stage alone, too.
        progress: told what runs now, and which of how many processes that is.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        source: Path | None,
        frames: int,
        repetitions: int,
        folder: Path,
        command: Sequence[str],
        *,
        build: Callable[[Case], Sequence[str]] | None = None,
        naive: bool = True,
        parts: bool = True,
        progress: Callable[[str, int, int], None] = lambda what, number, count: None,
    ) -> None:
        self._gathered = [Gathered(case) for case in cases]
        self._source = source
        self._frames = frames
        self._repetitions = repetitions
        self._folder = folder
        self._command = tuple(command)
        self._build = build
        self._naive = naive
        self._parts = parts
        self._progress = progress
        self._started = 0

    def run(self) -> Report:
        """Run everything; a case that fails is left out from then on, and says why."""
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        date = datetime.now(timezone.utc).astimezone().isoformat(timespec="seconds")
        machine = self._ask("the machine", Job(kind="machine"), Machine)
        source = self._source or self._make_clip()
        if self._build is not None:
            self._build_engines(self._build)
        if self._parts:
            self._measure_parts(source)
        for repetition in range(self._repetitions):
            self._measure_runs(source, repetition)
        return Report(
            date=date,
            machine=machine,
            load=load,
            source=source.name,
            frames=self._frames,
            repetitions=self._repetitions,
            cases=tuple(each.report() for each in self._gathered),
        )

    @property
    def _count(self) -> int:
        """How many processes there will be, if none fails."""
        each = self._repetitions * (1 + self._naive) + self._parts + (self._build is not None)
        return 1 + (self._source is None) + each * len(self._gathered)

    def _make_clip(self) -> Path:
        path = self._folder / "demo.mp4"
        self._ask("the demo clip", Job(kind="clip", source=path, frames=self._frames), Clip)
        return path

    def _build_engines(self, command: Callable[[Case], Sequence[str]]) -> None:
        for each in self._gathered:
            self._tell(f"{each.case.title}: build")
            began = time.perf_counter()
            try:
                finish(command(each.case), "")
                each.build_s = time.perf_counter() - began
            except JobFailedError as error:
                each.problem = f"not built: {error}"

    def _measure_parts(self, source: Path) -> None:
        for each in self._gathered:
            job = self._job("parts", each.case, source, min(self._frames, PART_FRAMES))
            each.parts = self._try("parts", each, job, Parts)

    def _measure_runs(self, source: Path, repetition: int) -> None:
        # Which of the two comes first changes: a machine that warms up slows the second one.
        kinds: list[JobKind] = ["naive", "stream"] if self._naive else ["stream"]
        for each in self._gathered:
            for kind in kinds if repetition % 2 == 0 else reversed(kinds):
                job = self._job(kind, each.case, source, self._frames)
                run = self._try(kind, each, job, Run)
                if run is not None:
                    (each.naives if kind == "naive" else each.streams).append(run)

    def _job(self, kind: JobKind, case: Case, source: Path, frames: int) -> Job:
        return Job(kind=kind, case=case, source=source, frames=frames, folder=self._folder)

    def _try(self, what: str, each: Gathered, job: Job, kind: type[Result]) -> Result | None:
        if each.problem:
            self._started += 1
            return None
        try:
            return self._ask(f"{each.case.title}: {what}", job, kind)
        except JobFailedError as error:
            each.problem = str(error)
            return None

    def _ask(self, what: str, job: Job, kind: type[Result]) -> Result:
        self._tell(what)
        return kind.model_validate_json(answer(self._command, job))

    def _tell(self, what: str) -> None:
        self._started += 1
        self._progress(what, self._started, self._count)


def answer(command: Sequence[str], job: Job) -> str:
    """Run the process of a job and return its result, JSON.

    Raises:
        JobFailedError: it failed, took too long, or has said nothing.
    """
    lines = finish(command, job.model_dump_json()).strip().splitlines()
    if not lines:
        raise JobFailedError("its process ended without a result")
    return lines[-1]


def finish(command: Sequence[str], text: str, timeout_s: float = TIMEOUT_S) -> str:
    """Run a process that is given a text, and return what it prints.

    Raises:
        JobFailedError: it failed, or took too long.
    """
    path = os.pathsep.join(filter(None, [str(PACKAGE_ROOT), os.environ.get("PYTHONPATH")]))
    try:
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
        )
    except subprocess.TimeoutExpired:
        raise JobFailedError(f"no result after {timeout_s:.0f} s") from None
    if done.returncode != 0:
        raise JobFailedError(_last_words(done.returncode, done.stderr))
    return done.stdout


def _last_words(status: int, errors: str) -> str:
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    told = [line.removeprefix("rtseg: ") for line in lines if line.startswith("rtseg: ")]
    if told:
        return told[-1]
    if status < 0:
        return f"its process was ended by signal {-status}"
    return lines[-1] if lines else f"its process ended with status {status}"


def worker_command() -> tuple[str, ...]:
    """Return the command that starts a worker through the command line's own door."""
    return sys.executable, "-m", "rtseg", "benchmark", "--worker"


def build_command(case: Case) -> tuple[str, ...]:
    """Return the command that builds the engine of a case, through the same door."""
    engine = case.engine
    words = [sys.executable, "-m", "rtseg", "export", case.model, "--backend", engine.backend]
    if engine.precision != "auto":
        words += ["--precision", engine.precision]
    if engine.size_wh is not None:
        words += ["--size", "{}x{}".format(*engine.size_wh)]
    if engine.device != "auto":
        words += ["--device", engine.device]
    if engine.engines is not None:
        words += ["--engines", str(engine.engines)]
    return tuple(words)
