"""Looking at every picture and mask of a data set: sizes, class shares, and what is wrong."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rtseg.classes import VOID, ClassSet
from rtseg.errors import DataError
from rtseg.training.datasets.dataset import SegmentationDataset

Progress = Callable[[int, int], None]
"""Called with (pictures done, pictures in all)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one picture and its mask hold.

    Args:
        size_wh: width and height in px; None if something is wrong.
        histogram: int64 [256], pixels per label.
        problem: what is wrong, or None.
    """

    size_wh: tuple[int, int] | None
    histogram: npt.NDArray[np.int64]
    problem: str | None


@dataclass(frozen=True, slots=True)
class Audit:
    """What a data set holds.

    Args:
        classes: what the labels mean.
        readable: positions of the pictures that can be used.
        sizes: (width, height) in px → number of pictures.
        pixels: int64 [256], pixels per label over all pictures.
        pictures: int64 [256], the number of pictures that hold the label.
        problems: one line per picture that can't be used.
    """

    classes: ClassSet
    readable: tuple[int, ...]
    sizes: Counter[tuple[int, int]]
    pixels: npt.NDArray[np.int64]
    pictures: npt.NDArray[np.int64]
    problems: tuple[str, ...]

    @property
    def void_share(self) -> float:
        """Share of void among all pixels, 0–1."""
        return float(self.pixels[VOID] / max(1, self.pixels.sum()))

    @property
    def shares(self) -> list[float]:
        """Each class's share of the labelled pixels, 0–1."""
        counts = self.pixels[: len(self.classes)]
        return [float(count) for count in counts / max(1, counts.sum())]

    def to_dict(self) -> dict[str, Any]:
        """Return everything in a form that JSON can hold."""
        return {
            "class_set": self.classes.name,
            "pictures": len(self.readable) + len(self.problems),
            "sizes": [
                {"width_px": width, "height_px": height, "pictures": count}
                for (width, height), count in self.sizes.most_common()
            ],
            "void_share": self.void_share,
            "classes": [
                {
                    "id": index,
                    "name": name,
                    "colour_rgb": list(self.classes.colours_rgb[index]),
                    "pixels": int(self.pixels[index]),
                    "share_of_labelled": self.shares[index],
                    "pictures": int(self.pictures[index]),
                }
                for index, name in enumerate(self.classes.names)
            ],
            "problems": list(self.problems),
        }


def audit(dataset: SegmentationDataset, progress: Progress | None = None) -> Audit:
    """Read every picture and mask, in threads; what is wrong is gathered, never raised."""
    findings: list[Finding] = []
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1), "audit") as threads:
        for finding in threads.map(lambda index: _inspect(dataset, index), range(len(dataset))):
            findings.append(finding)
            if progress:
                progress(len(findings), len(dataset))
    histograms = np.array([finding.histogram for finding in findings]).reshape(-1, 256)
    return Audit(
        dataset.classes,
        tuple(index for index, finding in enumerate(findings) if finding.problem is None),
        Counter(finding.size_wh for finding in findings if finding.size_wh is not None),
        histograms.sum(axis=0),
        (histograms > 0).sum(axis=0),
        tuple(finding.problem for finding in findings if finding.problem is not None),
    )


def _inspect(dataset: SegmentationDataset, index: int) -> Finding:
    try:
        labels = dataset[index].labels
    except DataError as error:
        return Finding(None, np.zeros(256, np.int64), str(error))
    height, width = labels.shape
    return Finding((width, height), np.bincount(labels.ravel(), minlength=256), None)
