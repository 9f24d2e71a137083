"""A long run under watch: what a process holds after an hour that it didn't hold at first."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rtseg.errors import ConfigError, MissingExtraError
from rtseg.stream.cameras.several import Several
from rtseg.stream.engine_request import EngineOpener
from rtseg.stream.settings import StreamConfig

if TYPE_CHECKING:
    import psutil

MEASURES = ("own_mb", "rss_mb", "threads", "handles")
PART = 0.1
"""The first and the last tenth of what follows the warm-up are compared."""
FEWEST_SAMPLES = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """What the process held at a moment.

    Args:
        at_s: since the first frame could be read, seconds.
        rss_mb: memory in RAM, shared libraries included, MB of 10^6 bytes.
        own_mb: of it the memory that isn't mapped from files, so this process's alone whether or
            not others run that share its libraries; what a leak makes grow.
        threads: of the process.
        handles: open files, sockets and pipes.
        pictures: how many were shown so far.
    """

    at_s: float
    rss_mb: float
    own_mb: float
    threads: int
    handles: int
    pictures: int


@dataclass(frozen=True, slots=True)
class Growth:
    """One measure at the beginning and at the end.

    Args:
        first: median of the first tenth after the warm-up.
        last: median of the last tenth.
    """

    first: float
    last: float

    @property
    def share(self) -> float:
        """By what part it grew: 0.01 is one per cent; below 0 it shrank."""
        return self.last / self.first - 1 if self.first else 0.0


@dataclass(frozen=True, slots=True)
class SoakReport:
    """A watched run.

    Args:
        samples: of the whole run, the warm-up included.
        warm_up_s: what of it doesn't count.
        failures: what ended cameras before the time, by their names.
    """

    samples: tuple[Sample, ...]
    warm_up_s: float
    failures: dict[str, str]

    @property
    def growths(self) -> dict[str, Growth]:
        """Each of `MEASURES` at the beginning and at the end."""
        counted = [sample for sample in self.samples if sample.at_s >= self.warm_up_s]
        part = max(1, round(PART * len(counted)))

        def median(measure: str, samples: Sequence[Sample]) -> float:
            return float(statistics.median(getattr(sample, measure) for sample in samples))

        return {
            measure: Growth(median(measure, counted[:part]), median(measure, counted[-part:]))
            for measure in MEASURES
        }

    @property
    def fps(self) -> float:
        """Pictures a second of all cameras together, after the warm-up."""
        counted = [sample for sample in self.samples if sample.at_s >= self.warm_up_s]
        span_s = counted[-1].at_s - counted[0].at_s
        return (counted[-1].pictures - counted[0].pictures) / span_s if span_s > 0 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return a form that JSON can hold."""
        growths = {name: {**asdict(g), "share": g.share} for name, g in self.growths.items()}
        return {
            "fps": self.fps,
            "warm_up_s": self.warm_up_s,
            "growth": growths,
            "failures": self.failures,
            "samples": [asdict(sample) for sample in self.samples],
        }


def soak(
    config: StreamConfig,
    open_engine: EngineOpener,
    run_s: float,
    *,
    warm_up_s: float,
    every_s: float = 10.0,
    on_sample: Callable[[Sample], None] = lambda sample: None,
) -> SoakReport:
    """Run the cameras of a configuration for `run_s` seconds and watch this process.

    Args:
        config: its cameras shouldn't end by themselves.
        open_engine: opens the engine.
        run_s: how long, seconds, warm-up included.
        warm_up_s: how long until memory counts: caches fill and allocators settle.
        every_s: seconds from sample to sample.
        on_sample: called with each in a thread of its own.

    Raises:
        ConfigError: so few samples would follow the warm-up that they say nothing.
        MissingExtraError: psutil is not installed.
        RtsegError: the cameras or the engine can't be had.
    """
    if (run_s - warm_up_s) / every_s < FEWEST_SAMPLES:
        raise ConfigError(
            f"{run_s:g} s with a warm-up of {warm_up_s:g} s and a sample every {every_s:g} s leave "
            f"fewer than {FEWEST_SAMPLES} samples to compare: take longer, or sample more often"
        )
    with Several(config, open_engine) as several:
        watch = _Watch(several, run_s, every_s, on_sample)
        watch.start()
        try:
            summary = several.run()
        finally:
            watch.stop()
    return SoakReport(tuple(watch.samples), warm_up_s, summary.failures)


class _Watch:
    """Samples this process until the time is over, and then stops the cameras."""

    def __init__(
        self,
        several: Several,
        run_s: float,
        every_s: float,
        on_sample: Callable[[Sample], None],
    ) -> None:
        self.samples: list[Sample] = []
        self._several, self._on_sample = several, on_sample
        self._run_s, self._every_s = run_s, every_s
        self._process = _this_process()
        self._over = threading.Event()
        self._thread = threading.Thread(name="rtseg-soak", target=self._work, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._start_s = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """End at once."""
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        number = 1
        while number * self._every_s <= self._run_s:
            due_s = self._start_s + number * self._every_s
            if self._over.wait(due_s - time.monotonic()):
                return
            self.samples.append(self._sample())
            self._on_sample(self.samples[-1])
            number += 1
        self._several.controls.stop()

    def _sample(self) -> Sample:
        process = self._process
        rss, own = _memory_bytes(process)
        streams = self._several.streams.values()
        return Sample(
            at_s=time.monotonic() - self._start_s,
            rss_mb=rss / 1e6,
            own_mb=own / 1e6,
            threads=process.num_threads(),
            handles=process.num_handles() if hasattr(process, "num_handles") else process.num_fds(),
            pictures=sum(stream.latency.age().count for stream in streams),
        )


def _memory_bytes(process: psutil.Process) -> tuple[int, int]:
    """Return what is in RAM, and of it what no other process has."""
    memory = process.memory_info()
    if hasattr(memory, "shared"):  # Linux: pages of files and of shared memory
        return memory.rss, memory.rss - memory.shared
    return memory.rss, process.memory_full_info().uss


def _this_process() -> psutil.Process:
    try:
        import psutil
    except ModuleNotFoundError:
        raise MissingExtraError("psutil", "soak", "watching a process") from None
    return psutil.Process()
