"""The frames that every engine is tried on: two short demo drives, whose truth is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from rtseg.backends.base import Engine
from rtseg.classes import CAMVID, ClassSet
from rtseg.demo_drive import DemoDrive
from rtseg.export.parity import Comparison, frame_labels
from rtseg.fit import FitMode
from rtseg.frames import Frame
from rtseg.metrics import Counts, confusion_counts, mean_iou

SEEDS = (300, 301)
"""Of the split "test" in configs/datasets/demo.yaml: no shipped weights have seen them."""
FRAMES_EACH = 8
WIDTH, HEIGHT, FPS = 640, 360, 10.0


@dataclass(frozen=True, slots=True)
class DemoScore:
    """What an engine makes of the demo frames.

    Args:
        mean_iou: against the truth, 0-1; None where the classes are not the demo drive's.
        class_shares: share of all pixels by class.
    """

    mean_iou: float | None
    class_shares: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """Return the score for a manifest's notes."""
        return asdict(self)

    @classmethod
    def of_counts(
        cls, classes: ClassSet, against_truth: Counts, pixels: npt.NDArray[np.int64]
    ) -> DemoScore:
        """Return the score.

        Args:
            classes: K of them.
            against_truth: int64 [K, K+1], all 0 where no truth is known.
            pixels: int64 [K], how many pixels got each class.
        """
        shares = pixels / max(1, pixels.sum())
        known = bool(against_truth.any())
        return cls(
            mean_iou(against_truth) if known else None,
            {name: float(share) for name, share in zip(classes.names, shares, strict=True)},
        )


def demo_frames(classes: ClassSet) -> Iterator[Frame]:
    """Yield the frames, each with its truth where `classes` are the demo drive's."""
    for seed in SEEDS:
        known = classes.names == CAMVID.names
        for index in range(FRAMES_EACH):
            image_bgr, truth = _drawn(seed, index)
            source = f"demo drive {seed}"
            yield Frame(image_bgr, index, index / FPS, 0, source, truth if known else None)


@cache
def _drawn(seed: int, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return picture and truth; drawing takes as long as segmenting, and every engine sees them."""
    image_bgr, truth = _drive(seed).render(index)
    image_bgr.flags.writeable = truth.flags.writeable = False
    return image_bgr, truth


@lru_cache(maxsize=1)
def _drive(seed: int) -> DemoDrive:
    """Return the drive, built once for its frames: a street takes as long as twenty of them."""
    return DemoDrive(seed, WIDTH, HEIGHT, FPS)


def demo_score(engine: Engine, fit: FitMode) -> DemoScore:
    """Run an engine over the demo frames, fitted as for the comparison at its export."""
    classes = engine.info.classes
    against_truth = np.zeros((len(classes), len(classes) + 1), np.int64)
    pixels = np.zeros(len(classes), np.int64)
    for frame in demo_frames(classes):
        (labels,) = frame_labels(engine, [frame], fit)
        pixels += np.bincount(labels.ravel(), minlength=256)[: len(classes)]
        if frame.truth is not None:
            against_truth += confusion_counts(frame.truth, labels, len(classes))
    return DemoScore.of_counts(classes, against_truth, pixels)


def demo_scores(comparison: Comparison) -> tuple[DemoScore, DemoScore]:
    """Return the scores of network and engine of a comparison over the demo frames alone."""
    classes, agreement = comparison.classes, comparison.agreement
    return (
        DemoScore.of_counts(classes, comparison.truth_of_reference, agreement.sum(axis=1)),
        DemoScore.of_counts(classes, comparison.truth_of_engine, agreement[:, :-1].sum(axis=0)),
    )
