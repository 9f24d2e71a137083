"""Choosing pictures of a data set by name."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from rtseg.errors import ConfigError
from rtseg.training.datasets.dataset import Sample, SegmentationDataset


class Selection(SegmentationDataset):
    """Chosen pictures of another data set, in the order given; one may come several times."""

    def __init__(self, dataset: SegmentationDataset, indices: Sequence[int]) -> None:
        super().__init__(dataset.classes, [dataset.names[index] for index in indices])
        self.has_instances = dataset.has_instances
        self._dataset = dataset
        self._indices = list(indices)

    def __getitem__(self, index: int) -> Sample:
        return self._dataset[self._indices[index]]


def select(
    names: Sequence[str], include: Sequence[str], exclude: Sequence[str], origin: str
) -> list[int]:
    """Return the positions of the names that fit the patterns.

    Raises:
        ConfigError: a pattern fits no name, which is most likely a mistake in writing: a held-out
            sequence would be trained on; or no name is left.
    """
    for pattern in (*include, *exclude):
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ConfigError(
                f"{origin}: the pattern {pattern!r} fits none of the {len(names)} pictures, "
                f"which are called {_examples(names)}"
            )
    kept = [
        index
        for index, name in enumerate(names)
        if (not include or any(fnmatchcase(name, pattern) for pattern in include))
        and not any(fnmatchcase(name, pattern) for pattern in exclude)
    ]
    if not kept:
        raise ConfigError(
            f"{origin}: no picture is left of {len(names)} with include {list(include)} "
            f"and exclude {list(exclude)}"
        )
    return kept


def _examples(names: Sequence[str]) -> str:
    if len(names) > 2:
        return f"{names[0]!r} to {names[-1]!r}"
    return " and ".join(map(repr, names)) or "nothing"
