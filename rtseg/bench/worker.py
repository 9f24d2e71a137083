"""The process of one job: a job in on stdin, its result out as the last line of stdout, as JSON."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from pydantic import BaseModel

from rtseg.bench.job import Job
from rtseg.stream.engine_request import EngineOpener

STAT = Path("/proc/self/stat")


def work(open_engine: EngineOpener) -> int:
    """Do the job of this process.

    Args:
        open_engine: opens the engines; the benchmark itself knows no network.

    Raises:
        RtsegError: the job can't be done.
    """
    started_ns = process_start_ns()
    result = do(Job.model_validate_json(sys.stdin.read()), open_engine, started_ns)
    sys.stdout.write("\n" + result.model_dump_json() + "\n")
    sys.stdout.flush()
    return 0


def do(job: Job, open_engine: EngineOpener, started_ns: int) -> BaseModel:
    """Do a job and return its result; arguments as `measure_stream`."""
    from rtseg.bench.clip import write_clip
    from rtseg.bench.machine import measure_machine
    from rtseg.bench.measure import measure_naive, measure_stream
    from rtseg.bench.parts import measure_parts

    if job.kind == "stream":
        return measure_stream(job, open_engine, started_ns)
    if job.kind == "naive":
        return measure_naive(job, open_engine, started_ns)
    if job.kind == "parts":
        return measure_parts(job, open_engine)
    if job.kind == "clip":
        return write_clip(job.source, job.frames)
    return measure_machine()


def process_start_ns() -> int:
    """Return when this process began, on the monotonic clock; now, where the system hides it."""
    try:
        ticks = int(STAT.read_text().rpartition(")")[2].split()[19])
        since_boot_ns = ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
        # Both clocks count from the boot, but only one of them goes on while a machine sleeps.
        asleep_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()
        return since_boot_ns - asleep_ns
    except (OSError, ValueError, IndexError, AttributeError):
        return time.monotonic_ns()
