"""Percentiles of any number of durations in bounded memory."""

from __future__ import annotations

import math
from dataclasses import dataclass

_LOG_RATIO = math.log(1.01)
"""Neighbouring buckets are 1 % apart: their middles are within 0.5 % of every value in them."""


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of all values ever recorded, none clipped; milliseconds."""

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    max: float


class Histogram:
    """Counts durations in buckets of equal ratio.

    Any duration has a bucket, from 1 ns to centuries, and there are less than 4400 of them. Count,
    mean, least and greatest value are exact; a percentile is within 0.5 % of a value that was
    recorded. Not safe against use from several threads at a time.
    """

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._count = self._sum_ns = self._max_ns = 0
        self._min_ns: int | None = None

    def add(self, value_ns: int) -> None:
        """Count a duration in nanoseconds; a negative one counts as 0."""
        value_ns = max(value_ns, 0)
        bucket = int(math.log(value_ns) / _LOG_RATIO) if value_ns else -1
        self._counts[bucket] = self._counts.get(bucket, 0) + 1
        self._count += 1
        self._sum_ns += value_ns
        self._max_ns = max(self._max_ns, value_ns)
        self._min_ns = value_ns if self._min_ns is None else min(self._min_ns, value_ns)

    @property
    def count(self) -> int:
        """How many durations there were."""
        return self._count

    def percentile_ms(self, percent: float) -> float:
        """Return the least value that `percent` % of all values don't exceed; 0 without any."""
        rank = max(math.ceil(self._count * percent / 100), 1)
        passed = 0
        for bucket in sorted(self._counts):
            passed += self._counts[bucket]
            if passed >= rank:
                return self._middle_ns(bucket) / 1e6
        return 0.0

    def percentiles(self) -> Percentiles:
        """Return the figures of all durations so far; zeros without any."""
        mean_ns = self._sum_ns / self._count if self._count else 0.0
        p50, p90, p99 = (self.percentile_ms(percent) for percent in (50, 90, 99))
        return Percentiles(self._count, mean_ns / 1e6, p50, p90, p99, self._max_ns / 1e6)

    def _middle_ns(self, bucket: int) -> float:
        middle_ns = math.exp((bucket + 0.5) * _LOG_RATIO) if bucket >= 0 else 0.0
        return min(max(middle_ns, self._min_ns or 0), self._max_ns)
