"""How long an engine's calls take, alone on this machine."""

from __future__ import annotations

import time

import numpy as np

from rtseg.backends.base import Engine
from rtseg.backends.manifest import Latency

WARM_UP_CALLS = 5
CALLS = 60
LONGEST_S = 15.0


def measured_latency(engine: Engine, calls: int = CALLS, longest_s: float = LONGEST_S) -> Latency:
    """Time calls one after the other, from the picture in host memory to the labels there.

    Args:
        engine: open.
        calls: how many, where they fit into `longest_s`.
        longest_s: seconds after which no further call is made.
    """
    rng = np.random.default_rng(0)
    shape = (engine.info.batch, *engine.info.input_hw, 3)
    images = [rng.integers(0, 256, shape, np.uint8) for _ in range(2)]
    started = time.monotonic()
    for call in range(WARM_UP_CALLS):
        engine.infer(images[call % 2])
        if time.monotonic() - started > longest_s / 3:
            break
    times_ms: list[float] = []
    while len(times_ms) < calls and (not times_ms or time.monotonic() - started < longest_s):
        before = time.perf_counter_ns()
        engine.infer(images[len(times_ms) % 2])
        times_ms.append((time.perf_counter_ns() - before) / 1e6)
    p50, p90, p99 = (float(value) for value in np.percentile(times_ms, (50, 90, 99)))
    return Latency(p50_ms=p50, p90_ms=p90, p99_ms=p99, fps=engine.info.batch * 1e3 / p50)
