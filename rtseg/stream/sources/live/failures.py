"""Why a source could not be had, counted, so that a camera that is away for a week fills no log."""

from __future__ import annotations

from collections import Counter

from rtseg.errors import SourceError


class Failures:
    """The failed attempts in a row to open a source, by what was wrong."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, error: SourceError) -> bool:
        """Count one; return whether it is the first of its kind."""
        self._counts[error.kind] += 1
        return self._counts[error.kind] == 1

    @property
    def num(self) -> int:
        """How many there were."""
        return sum(self._counts.values())

    @property
    def counts(self) -> dict[str, int]:
        """How many there were of each kind."""
        return dict(self._counts)

    def clear(self) -> None:
        """Begin again: the source was had."""
        self._counts.clear()

    def __str__(self) -> str:
        """Return such as ``refused, 14 times; not found, once``."""
        return "; ".join(f"{kind}, {_times(count)}" for kind, count in self._counts.items())


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
