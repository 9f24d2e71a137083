"""Repeated measurements in three figures, and comparisons that a noisy machine can't tilt."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of repeated measurements, and the least and the greatest of them."""

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of one value or more."""
        return cls(statistics.median(values), min(values), max(values), len(values))

    def text(self, digits: int = 1) -> str:
        """Return ``"24.1 (23.0-25.2)"``, or the median alone of a single measurement."""
        if self.count == 1:
            return f"{self.median:.{digits}f}"
        return f"{self.median:.{digits}f} ({self.low:.{digits}f}-{self.high:.{digits}f})"


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> Spread:
    """Return the spread of the ratios within each repetition.

    What another program took from the machine during a repetition hits both sides of its ratio.

    Raises:
        ValueError: the sequences are of different lengths.
    """
    pairs = zip(numerators, denominators, strict=True)
    return Spread.of([numerator / denominator for numerator, denominator in pairs])
