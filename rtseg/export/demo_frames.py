"""The frames that every engine is tried on: two short demo drives, whose truth is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from rtseg.backends.base import Engine
from rtseg.classes import ClassSet
from rtseg.demo_drive import DemoDrive
from rtseg.export.parity import frame_labels
from rtseg.frames import Frame
from rtseg.metrics import confusion_counts, mean_iou

SEEDS = (300, 301)
"""Of the split "test" in configs/datasets/demo.yaml: no shipped weights have seen them."""
FRAMES_EACH = 12
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
        return {"mean_iou": self.mean_iou, "class_shares": self.class_shares}


def demo_frames(classes: ClassSet) -> Iterator[Frame]:
    """Yield the frames, each with its truth where `classes` are the demo drive's."""
    for seed in SEEDS:
        drive = DemoDrive(seed, WIDTH, HEIGHT, FPS)
        known = drive.classes.names == classes.names
        for index in range(FRAMES_EACH):
            image_bgr, truth = drive.render(index)
            source = f"demo drive {seed}"
            yield Frame(image_bgr, index, index / FPS, 0, source, truth if known else None)


def num_demo_frames() -> int:
    """Return how many frames `demo_frames` yields."""
    return len(SEEDS) * FRAMES_EACH


def demo_score(engine: Engine) -> DemoScore:
    """Run an engine over the demo frames."""
    classes = engine.info.classes
    confusion = np.zeros((len(classes), len(classes) + 1), np.int64)
    counts = np.zeros(256, np.int64)
    known = False
    for frame in demo_frames(classes):
        (labels,) = frame_labels(engine, [frame])
        counts += np.bincount(labels.ravel(), minlength=256)
        if frame.truth is not None:
            known = True
            confusion += confusion_counts(frame.truth, labels, len(classes))
    shares = counts / counts.sum()
    return DemoScore(
        mean_iou(confusion) if known else None,
        {name: float(shares[index]) for index, name in enumerate(classes.names)},
    )
