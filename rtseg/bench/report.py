"""What a benchmark has found: every single run, and the figures that come of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rtseg.bench.bound import bound_fps, share_of_bound
from rtseg.bench.job import Case, Machine, Parts, Run
from rtseg.bench.spread import Spread, ratios
from rtseg.config import Config


class CaseReport(Config):
    """All that was measured of one engine.

    Args:
        case: the engine that was asked for.
        build_s: building the engine, with its checks; None where nothing was built.
        parts: each stage alone; None where it wasn't measured.
        streams: the stream, once per repetition.
        naives: the loop, once per repetition, or none.
        problem: why the case could not be measured to its end; empty when it was.
    """

    case: Case
    build_s: float | None = None
    parts: Parts | None
    streams: tuple[Run, ...]
    naives: tuple[Run, ...]
    problem: str = ""

    @property
    def title(self) -> str:
        """What really ran, in one line; what was asked for where nothing did."""
        runs = (*self.streams, *self.naives)
        return runs[0].engine if runs else self.case.title

    @property
    def measured(self) -> bool:
        """Whether the stream ran at all."""
        return bool(self.streams)

    def of_streams(self, value: Callable[[Run], float]) -> Spread:
        """Return the spread of a figure over the repetitions of the stream."""
        return Spread.of([value(run) for run in self.streams])

    def of_naives(self, value: Callable[[Run], float]) -> Spread | None:
        """Return the same of the naive loop; None where it didn't run."""
        return Spread.of([value(run) for run in self.naives]) if self.naives else None

    def speedup(self) -> Spread | None:
        """Return how many times as fast as the loop the stream is, within each repetition."""
        return self._against(lambda run: run.fps)

    def cpu_ratio(self) -> Spread | None:
        """Return the stream's CPU time a frame as a share of the loop's."""
        return self._against(lambda run: run.cpu_ms)

    def _against(self, value: Callable[[Run], float]) -> Spread | None:
        pairs = list(zip(self.streams, self.naives, strict=False))
        if not pairs:
            return None
        return ratios([value(mine) for mine, _ in pairs], [value(other) for _, other in pairs])

    def figures(self) -> dict[str, Any]:
        """Return medians and spreads by name."""
        if not self.measured:
            return {}
        streams = {
            "fps": self.of_streams(lambda run: run.fps),
            "cpu_ms": self.of_streams(lambda run: run.cpu_ms),
            "bound_fps": self.of_streams(bound_fps),
            "share_of_bound": self.of_streams(share_of_bound),
            "peak_mib": self.of_streams(lambda run: run.peak_mib),
            "first_picture_s": self.of_streams(lambda run: run.first_picture_s),
            "open_s": self.of_streams(lambda run: run.open_s),
        }
        naives = {
            "naive_fps": self.of_naives(lambda run: run.fps),
            "naive_cpu_ms": self.of_naives(lambda run: run.cpu_ms),
            "naive_peak_mib": self.of_naives(lambda run: run.peak_mib),
            "speedup": self.speedup(),
            "cpu_ratio": self.cpu_ratio(),
        }
        found = streams | {name: spread for name, spread in naives.items() if spread is not None}
        return {
            name: {"median": spread.median, "min": spread.low, "max": spread.high}
            for name, spread in found.items()
        }


class Report(Config):
    """A whole benchmark.

    Args:
        date: when it began, ISO 8601.
        machine: what it ran on.
        load: runnable processes, mean over the minute before the first run; None: unknown.
        source: the video's name.
        frames: how many of its frames each run took, at most.
        repetitions: how often each case ran.
        cases: in the order they were asked for.
    """

    date: str
    machine: Machine
    load: float | None
    source: str
    frames: int
    repetitions: int
    cases: tuple[CaseReport, ...]

    @property
    def busy(self) -> bool:
        """Whether other programs were at work before the first run."""
        return self.load is not None and self.load > 0.25 * self.machine.cores

    def to_dict(self) -> dict[str, Any]:
        """Return everything in a form that JSON can hold, the figures beside the runs."""
        values = self.model_dump(mode="json")
        for case, report in zip(values["cases"], self.cases, strict=True):
            case["title"] = report.title
            case["figures"] = report.figures()
        return values | {"busy": self.busy}
