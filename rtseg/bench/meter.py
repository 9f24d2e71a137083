"""What a piece of work costs: the time it takes, and what all threads compute meanwhile."""

from __future__ import annotations

import re
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from rtseg.bench.job import Part

Result = TypeVar("Result")

STATUS = Path("/proc/self/status")


class Meter:
    """A stop watch with two hands; runs from its construction."""

    def __init__(self) -> None:
        self._cpu_ns = time.process_time_ns()
        self._wall_ns = time.perf_counter_ns()

    def read(self) -> tuple[float, float]:
        """Return the wall and the CPU seconds of the whole process since the start."""
        wall_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
        return (wall_ns - self._wall_ns) / 1e9, (cpu_ns - self._cpu_ns) / 1e9


class PartMeter:
    """Adds up the calls of one stage.

    Args:
        name: the stage.
        on_the_way: it is a part of the default stream.
    """

    def __init__(self, name: str, on_the_way: bool = True) -> None:
        self.name = name
        self._on_the_way = on_the_way
        self._wall_s: list[float] = []
        self._cpu_s = 0.0

    def run(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Do the work of one frame and return what it returns."""
        meter = Meter()
        result = work(*arguments)
        wall_s, cpu_s = meter.read()
        self._wall_s.append(wall_s)
        self._cpu_s += cpu_s
        return result

    def forget_last(self) -> None:
        """Leave the last call out of the wall times, as when it found the end of a file."""
        self._wall_s.pop()

    def spend(self, work: Callable[[], object]) -> None:
        """Do work that belongs to all frames together, such as finishing a file: CPU alone."""
        meter = Meter()
        work()
        self._cpu_s += meter.read()[1]

    def part(self) -> Part:
        """Return the figures so far."""
        return Part(
            name=self.name,
            frames=len(self._wall_s),
            wall_ms=1000 * statistics.median(self._wall_s),
            least_ms=1000 * min(self._wall_s),
            cpu_ms=1000 * self._cpu_s / len(self._wall_s),
            on_the_way=self._on_the_way,
        )


def peak_mib() -> float:
    """Return the most memory that this process ever had, MiB."""
    # Linux hands a program's peak on to the one that it starts; the status file doesn't.
    if STATUS.exists():
        match = re.search(r"VmHWM:\s*(\d+) kB", STATUS.read_text())
        if match:
            return int(match.group(1)) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1024)
