"""How fast a stream could be at most, given what its parts cost."""

from __future__ import annotations

from rtseg.bench.job import Run
from rtseg.stream.latency import WAIT

ENGINE_STAGES = ("preprocess", "engine")
"""The stages that the workers of the engine share."""


def bound_fps(run: Run) -> float:
    """Return the frames a second that no arrangement of the same work could exceed.

    On a CPU: the cores divided by the CPU seconds a frame; every core is then always at work. On
    a GPU: one frame each time that the slowest stage takes, a stage with several workers counted
    by its share.
    """
    if not run.device.startswith("cuda"):
        return run.cores * run.frames / run.cpu_s
    shared = [
        ms / (run.workers if name in ENGINE_STAGES else 1)
        for name, ms in run.stages.items()
        if name != WAIT
    ]
    return 1000 / max(shared)


def share_of_bound(run: Run) -> float:
    """Return the measured rate as a share of the bound."""
    return run.fps / bound_fps(run)
