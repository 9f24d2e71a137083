"""The things that are looked at, in processes of their own.

A broken driver hangs, a broken library ends its process, a missing one raises: none of that may
keep a person from hearing about the rest. So probes run in child processes with a time limit;
those that import the same heavy packages and do nothing risky share one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from rtseg.cli._doctor.finding import Finding

PACKAGE_ROOT = Path(__file__).resolve().parents[3]
MOST_AT_ONCE = 4
"""Children at a time; several of them import torch, and a Jetson has little memory."""
RECORD = "rtseg doctor: "
"""What a child begins its answers with; libraries may write lines of their own."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One look at the machine.

    Args:
        module: the module beside this one whose `probe()` returns the findings.
        group: the heading that its findings stand under.
        title: what it looks at, for the line of a probe that failed.
        process: probes in a row with the same word here share a child.
        timeout_s: how long the child may take, seconds; the longest of those who share it.
        essential: nothing works where this probe fails.
    """

    module: str
    group: str
    title: str
    process: str = ""
    timeout_s: float = 30.0
    essential: bool = False


PROBES = (
    Probe("packages", "Software", "packages"),
    Probe("pytorch", "Software", "PyTorch", timeout_s=90, essential=True),
    Probe("opencv", "Software", "OpenCV", essential=True),
    Probe("compiler", "Software", "C++ compiler"),
    Probe("processor", "Machine", "processor", "machine"),
    Probe("memory", "Machine", "memory", "machine"),
    Probe("jetson", "Machine", "Jetson", "machine"),
    Probe("gpu", "Machine", "NVIDIA GPU", timeout_s=90),
    Probe("ffmpeg", "Video", "FFmpeg", essential=True),
    Probe("encoders", "Video", "encoders"),
    Probe("gstreamer", "Video", "GStreamer", "display"),
    Probe("display", "Video", "display", "display"),
    Probe("cameras", "Video", "cameras"),
    Probe("weights", "Networks", "weights"),
    Probe("backends", "Networks", "backends", "networks", timeout_s=120),
    Probe("engines", "Networks", "engines", "networks", timeout_s=120),
    Probe("data", "Networks", "data folder", "networks", timeout_s=120),
)
"""In the order of the page."""


class Examination:
    """Runs probes, a few children at a time, and ends these when it is broken off.

    Args:
        probes: what to look at.
        finished: called after each probe, from several threads, with the probe.
    """

    def __init__(
        self, probes: Sequence[Probe] = PROBES, finished: Callable[[Probe], None] | None = None
    ) -> None:
        shared = groupby(enumerate(probes), lambda pair: pair[1].process or pair[0])
        self._children = [tuple(probe for _, probe in pairs) for _, pairs in shared]
        self._finished = finished or (lambda probe: None)
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._broken_off = False

    def run(self) -> list[tuple[str, Finding]]:
        """Return (heading, finding) pairs in the order of the probes."""
        workers = min(MOST_AT_ONCE, max(2, os.cpu_count() or 1))
        with ThreadPoolExecutor(workers) as pool:
            try:
                found = list(pool.map(self._look, self._children))
            except BaseException:
                self._break_off()
                raise
        return [pair for pairs in found for pair in pairs]

    def _look(self, probes: tuple[Probe, ...]) -> list[tuple[str, Finding]]:
        try:
            output, reason = self._ask_child(probes)
            answers = _answers(output)
        except Exception as error:
            answers, reason = {}, f"{type(error).__name__}: {error}"
        found = []
        for probe in probes:
            findings = answers.get(probe.module, reason)
            if isinstance(findings, str):
                findings = [_failed(probe, findings)]
            found += [(probe.group, finding) for finding in findings]
            self._finished(probe)
        return found

    def _ask_child(self, probes: tuple[Probe, ...]) -> tuple[str, str]:
        """Return what the child has said, and why it has not said more."""
        timeout_s = max(probe.timeout_s for probe in probes)
        with self._lock:
            if self._broken_off:
                return "", "broken off"
            child = _start(probes)
            self._running.add(child)
        try:
            output, errors = child.communicate(timeout=timeout_s)
            return output, _death(child.returncode, errors)
        except subprocess.TimeoutExpired:
            _kill(child)
            return child.communicate()[0], f"no answer after {timeout_s:.0f} s"
        finally:
            with self._lock:
                self._running.discard(child)

    def _break_off(self) -> None:
        with self._lock:
            self._broken_off = True
            for child in self._running:
                _kill(child)


def _answers(output: str) -> dict[str, list[Finding] | str]:
    """Return what a child has said by module: findings, or why there are none."""
    answers: dict[str, list[Finding] | str] = {}
    for line in output.split("\n"):
        if line.startswith(RECORD):
            module, found = json.loads(line.removeprefix(RECORD))
            failed = isinstance(found, str)
            answers[module] = found if failed else [Finding(**values) for values in found]
    return answers


def _start(probes: tuple[Probe, ...]) -> subprocess.Popen[str]:
    path = os.pathsep.join(filter(None, [str(PACKAGE_ROOT), os.environ.get("PYTHONPATH")]))
    modules = [probe.module for probe in probes]
    return subprocess.Popen(
        [sys.executable, "-m", "rtseg.cli._doctor.child", *modules],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        # A file in the working directory must not pass for a package.
        env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1"},
        start_new_session=True,  # so that what it starts can be ended with it
    )


def _kill(child: subprocess.Popen[str]) -> None:
    """End a child and everything it started."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _death(status: int, errors: str) -> str:
    last = next((line.strip() for line in reversed(errors.splitlines()) if line.strip()), "")
    if status < 0:
        name = signal.Signals(-status).name if -status in set(signal.Signals) else str(-status)
        return f"its process was ended by {name}" + (f" ({last[:120]})" if last else "")
    return last[:200] or f"its process ended with status {status}"


def _failed(probe: Probe, reason: str) -> Finding:
    return Finding(
        probe.title,
        "missing" if probe.essential else "warn",
        f"could not be looked at: {reason}",
        f"RTSEG_TRACEBACK=1 python -m rtseg.cli._doctor.child {probe.module} shows why",
        probe.essential,
    )
