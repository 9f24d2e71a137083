"""Clocks: what each stage takes, how old a frame is when it is shown, what was dropped where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of all values ever recorded, none clipped; milliseconds."""

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    max: float


class Latency:
    """The times of a stream. Every method may be called from any thread; memory is bounded."""

    def record(self, index: int, stage: str, start_ns: int, end_ns: int) -> None:
        """Note that frame `index` was in `stage` from `start_ns` to `end_ns` (monotonic clock)."""
        raise NotImplementedError

    def shown(self, index: int, captured_ns: int, now_ns: int) -> None:
        """Note that the first sink has taken the finished picture of frame `index`."""
        raise NotImplementedError

    def dropped(self, hop: str) -> None:
        """Count a frame that was left out before the stage called `hop`."""
        raise NotImplementedError

    @property
    def drops(self) -> Mapping[str, int]:
        """Frames left out, by the stage that they didn't reach."""
        raise NotImplementedError

    @property
    def fps(self) -> float:
        """Pictures a second over about the last two seconds; 0 before the second picture."""
        raise NotImplementedError

    @property
    def age_ms(self) -> float:
        """The age of the last picture when it was shown, milliseconds; 0 before the first."""
        raise NotImplementedError

    def trace(self, index: int) -> Mapping[str, float]:
        """Return stage → milliseconds of a recent frame; empty when it is long gone."""
        raise NotImplementedError

    def stages(self) -> Mapping[str, Percentiles]:
        """Return each stage's times, in the order of the way."""
        raise NotImplementedError

    def age(self) -> Percentiles:
        """Return the frame ages, captured to shown."""
        raise NotImplementedError
