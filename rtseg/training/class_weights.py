"""How often each class occurs, and the loss weights that make up for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtseg.classes import VOID
from rtseg.errors import ConfigError, DataError

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """Pixels per class of a data set.

    Args:
        pixels: int64 [K], pixels of each class.
        pixels_where_present: int64 [K], all pixels, void too, of the pictures that hold the class.
        pictures: int64 [K], pictures that hold the class.
    """

    pixels: Int64
    pixels_where_present: Int64
    pictures: Int64

    @classmethod
    def from_histograms(cls, histograms: Int64) -> ClassCounts:
        """Sum up one row of `label_histogram` for each picture, int64 [M, K + 1]."""
        pixels = histograms[:, :-1]
        present = pixels > 0
        return cls(
            pixels=pixels.sum(axis=0),
            pixels_where_present=(present * histograms.sum(axis=1, keepdims=True)).sum(axis=0),
            pictures=present.sum(axis=0),
        )

    def enet_weights(self) -> Float64:
        """Return 1 / ln(1.02 + p), p the share of the class in all labelled pixels.

        Absent classes get 0. Paszke 2016, "ENet", section 5.2.
        """
        shares = self.pixels / max(int(self.pixels.sum()), 1)
        return np.where(self.pixels > 0, 1 / np.log(1.02 + shares), 0.0)

    def median_frequency_weights(self) -> Float64:
        """Return median(f) / f, f the share of the class in the pictures that hold it.

        Absent classes get 0 and don't enter the median. Eigen and Fergus 2015, section 6.3.2.
        """
        present = self.pixels > 0
        weights = np.zeros(len(self.pixels))
        if present.any():
            frequencies = self.pixels[present] / self.pixels_where_present[present]
            weights[present] = np.median(frequencies) / frequencies
        return weights


CLASS_WEIGHTINGS: dict[str, Callable[[ClassCounts], Float64]] = {
    "enet": ClassCounts.enet_weights,
    "median_frequency": ClassCounts.median_frequency_weights,
}
"""The weightings that can be asked for by name."""


def label_histogram(labels: npt.NDArray[np.uint8], num_classes: int, name: str = "labels") -> Int64:
    """Count the pixels of each class in a label map, int64 [K + 1]; the last are the void ones.

    Raises:
        DataError: an id is neither a class nor void.
    """
    counts = np.bincount(labels.ravel(), minlength=VOID + 1)
    strange = np.flatnonzero(counts[num_classes:VOID]) + num_classes
    if len(strange):
        raise DataError(
            f"{name} holds the ids {strange[:8].tolist()}; allowed are 0 to {num_classes - 1} and "
            f"{VOID} for void; map the others in the data set's file"
        )
    return np.append(counts[:num_classes], counts[VOID]).astype(np.int64)


def count_classes(label_maps: Iterable[npt.NDArray[np.uint8]], num_classes: int) -> ClassCounts:
    """Count the classes over all label maps, uint8 [H, W] each.

    Raises:
        DataError: there is no label map, or one holds an id that is no class.
    """
    histograms = [label_histogram(labels, num_classes) for labels in label_maps]
    if not histograms:
        raise DataError("there are no labels to count; name a data set with pictures")
    return ClassCounts.from_histograms(np.stack(histograms))


def class_weights(
    weighting: str | list[float] | None, num_classes: int, counts: ClassCounts | None
) -> list[float] | None:
    """Return one loss weight per class, or None where all are alike.

    Args:
        weighting: None or ``"none"``, a name in `CLASS_WEIGHTINGS`, or the weights themselves.
        counts: needed by the named weightings.

    Raises:
        ConfigError: the name is unknown, the list has another length than there are classes or
            holds a negative weight or only zeros, or a named weighting lacks its counts.
    """
    if weighting is None or weighting == "none":
        return None
    weights = _counted_weights(weighting, counts) if isinstance(weighting, str) else weighting
    if len(weights) != num_classes:
        raise ConfigError(
            f"class_weights has {len(weights)} numbers; the data set has {num_classes} classes"
        )
    if min(weights) < 0 or max(weights) == 0:
        raise ConfigError(f"class_weights is {weights}; give numbers from 0 up, one above 0")
    return weights


def _counted_weights(name: str, counts: ClassCounts | None) -> list[float]:
    if name not in CLASS_WEIGHTINGS:
        raise ConfigError(
            f"class_weights is {name!r}; allowed are none, {', '.join(CLASS_WEIGHTINGS)}, or a "
            "list of one number for each class"
        )
    if counts is None:
        raise ConfigError(
            f"class_weights is {name!r}, but the classes were not counted; count them on the "
            "training data, or give a list of one number for each class"
        )
    return [float(weight) for weight in CLASS_WEIGHTINGS[name](counts)]
