"""Whether an engine says what the network that it was made from says, on frames of a film.

Both see the same frames in the same order, on the way that a stream takes them: fitted to the
engine's input, and the labels brought back to the frame's size. Compared are the labels of one with
those of the other; where a frame's truth is known, also how near each comes to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

import numpy as np
import numpy.typing as npt

from rtseg.backends.base import Engine
from rtseg.classes import ClassSet
from rtseg.errors import EngineError
from rtseg.fit import FitMode, choose_fit
from rtseg.frames import Frame, Labels
from rtseg.metrics import (
    Counts,
    TemporalCounts,
    confusion_counts,
    iou,
    mean_iou,
    pixel_accuracy,
    temporal_consistency,
    temporal_counts,
)

LEAST_AGREEMENT = {"fp32": 0.9999, "fp16": 0.995, "bf16": 0.995, "int8": 0.97}
"""The share of pixels that must have the network's class, by the engine's precision."""
MOST_IOU_LOST = {"fp32": 0.001, "fp16": 0.005, "bf16": 0.005, "int8": 0.01}
"""How much mean IoU against the truth an engine may lose, by its precision; shares of 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Worst:
    """The frame on which engine and network agree least.

    Args:
        frame: the frame.
        agreement: share of its pixels with the same class.
        reference: labels of the network, uint8 [H, W].
        labels: labels of the engine, uint8 [H, W].
    """

    frame: Frame
    agreement: float
    reference: Labels
    labels: Labels


@dataclass(slots=True)
class _Against:
    """What one of the two says, against the truth, over the frames so far."""

    num_classes: int
    confusion: Counts = field(init=False)
    temporal: TemporalCounts = field(default_factory=TemporalCounts)
    previous: tuple[Frame, Labels] | None = None

    def __post_init__(self) -> None:
        self.confusion = np.zeros((self.num_classes, self.num_classes + 1), np.int64)

    def add(self, frame: Frame, labels: Labels) -> None:
        """Count one frame."""
        if frame.truth is not None:
            self.confusion += confusion_counts(frame.truth, labels, self.num_classes)
        if self.previous is not None:
            before, labels_before = self.previous
            if before.source == frame.source and before.hw == frame.hw:
                truths = (before.truth, frame.truth)
                if truths[0] is None or truths[1] is None:
                    truths = (None, None)
                self.temporal += temporal_counts(labels_before, labels, *truths)
        self.previous = frame, labels


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What `compare` found; `a + b` is that of both films.

    Shares are of 1; nan or None where there is nothing to tell.

    Args:
        classes: of the labels.
        precision: of the engine.
        agreement: int64 [K, K+1], rows the network's labels, columns the engine's.
        truth_of_engine: int64 [K, K+1], rows the truth; all 0 where no truth is known.
        truth_of_reference: the same of the network.
        temporal_of_engine: labels that stay from frame to frame.
        temporal_of_reference: the same of the network.
        worst: the frame where they agree least.
        frames: how many were compared.
        sources: names of what they came from.
    """

    classes: ClassSet
    precision: str
    agreement: Counts
    truth_of_engine: Counts
    truth_of_reference: Counts
    temporal_of_engine: TemporalCounts
    temporal_of_reference: TemporalCounts
    worst: Worst
    frames: int
    sources: tuple[str, ...]

    def __add__(self, other: Comparison) -> Comparison:
        worst = min(self.worst, other.worst, key=lambda worst: worst.agreement)
        return Comparison(
            self.classes,
            self.precision,
            self.agreement + other.agreement,
            self.truth_of_engine + other.truth_of_engine,
            self.truth_of_reference + other.truth_of_reference,
            self.temporal_of_engine + other.temporal_of_engine,
            self.temporal_of_reference + other.temporal_of_reference,
            worst,
            self.frames + other.frames,
            tuple(dict.fromkeys((*self.sources, *other.sources))),
        )

    @property
    def pixel_agreement(self) -> float:
        """Share of pixels to which engine and network give the same class."""
        return pixel_accuracy(self.agreement)

    @property
    def threshold(self) -> float:
        """The agreement that the precision owes."""
        return LEAST_AGREEMENT[self.precision]

    @property
    def knows_truth(self) -> bool:
        """Whether the truth of any pixel was known."""
        return bool(self.truth_of_reference.any())

    @property
    def mean_iou_change(self) -> float | None:
        """Mean IoU of the engine less that of the network; None without truth."""
        if not self.knows_truth:
            return None
        return mean_iou(self.truth_of_engine) - mean_iou(self.truth_of_reference)

    @property
    def temporal_consistency_change(self) -> float | None:
        """Temporal consistency of the engine less that of the network; None without neighbours."""
        if not self.temporal_of_reference.judged:
            return None
        before = temporal_consistency(self.temporal_of_reference)
        return temporal_consistency(self.temporal_of_engine) - before

    def agreement_by_class(self) -> dict[str, float]:
        """Return the IoU of the engine's labels with the network's, for each class that occurs."""
        return _by_class(self.classes, iou(self.agreement))

    def iou_change(self) -> dict[str, float]:
        """Return IoU of the engine less that of the network, by class; nothing without truth."""
        if not self.knows_truth:
            return {}
        change = iou(self.truth_of_engine) - iou(self.truth_of_reference)
        return _by_class(self.classes, change)

    def failures(self) -> list[str]:
        """Return what falls short of what the precision owes, a line each; none if all is well."""
        short = []
        if not self.pixel_agreement >= self.threshold:  # also where it is nan
            short.append(
                f"{percent(self.pixel_agreement)} of the pixels agree with the network, "
                f"{self.precision} owes {percent(self.threshold)}"
            )
        lost = -(self.mean_iou_change or 0.0)
        if lost > MOST_IOU_LOST[self.precision]:
            short.append(
                f"{100 * lost:.2f} points of mean IoU are lost, {self.precision} may lose "
                f"{100 * MOST_IOU_LOST[self.precision]:g}"
            )
        return short


def compare(
    engine: Engine,
    reference: Engine,
    frames: Iterable[Frame],
    fit: Literal["auto"] | FitMode = "auto",
) -> Comparison:
    """Run both over the frames and count.

    Args:
        engine: the engine in question.
        reference: the network in fp32, for the same input size.
        frames: of one or more films, each in its own order; `Frame.truth` in the engine's classes.
        fit: how frames are fitted to the input.

    Raises:
        EngineError: the two don't fit each other, there are no frames, or one of them fails.
    """
    classes = _same_classes(engine, reference)
    agreement = np.zeros((len(classes), len(classes) + 1), np.int64)
    ours, theirs = _Against(len(classes)), _Against(len(classes))
    worst: Worst | None = None
    sources: dict[str, None] = {}
    frames_done = 0
    for group in _groups(frames, engine.info.batch):
        pairs = zip(
            group,
            frame_labels(engine, group, fit),
            frame_labels(reference, group, fit),
            strict=True,
        )
        for frame, labels, expected in pairs:
            counts = confusion_counts(expected, labels, len(classes))
            agreement += counts
            ours.add(frame, labels)
            theirs.add(frame, expected)
            share = pixel_accuracy(counts)
            if worst is None or share < worst.agreement:
                worst = Worst(frame, share, expected, labels)
            sources[frame.source] = None
            frames_done += 1
    if worst is None:
        raise EngineError("there are no frames to compare engine and network on")
    return Comparison(
        classes, engine.info.precision, agreement, ours.confusion, theirs.confusion,
        ours.temporal, theirs.temporal, worst, frames_done, tuple(sources),
    )  # fmt: skip


def frame_labels(
    engine: Engine, frames: list[Frame], fit: Literal["auto"] | FitMode = "auto"
) -> list[Labels]:
    """Return the labels, uint8 [H, W] at each frame's size, that an engine gives to frames.

    Args:
        engine: of any batch size; the last call is filled up with the last frame.
        frames: of any sizes.
        fit: how they are fitted to the input.
    """
    batch, input_hw = engine.info.batch, engine.info.input_hw
    fits = [choose_fit(fit, frame.hw, input_hw) for frame in frames]
    inputs = [each.apply(frame.image_bgr) for each, frame in zip(fits, frames, strict=True)]
    found: list[Labels] = []
    for start in range(0, len(inputs), batch):
        part = inputs[start : start + batch]
        part += [part[-1]] * (batch - len(part))
        found.extend(_as_labels(engine, engine.infer(np.stack(part))))
    return [each.labels_to_frame(labels) for each, labels in zip(fits, found, strict=False)]


def percent(share: float) -> str:
    """Return a share of 1 as a person reads it, rounded down so that a failure never looks full."""
    return f"{np.floor(1e5 * share) / 1e3:.3f} %"


def _as_labels(engine: Engine, output: npt.NDArray[np.generic]) -> Iterator[Labels]:
    if engine.info.output == "scores":
        output = output.argmax(axis=1)
    return iter(output.astype(np.uint8, copy=False))


def _same_classes(engine: Engine, reference: Engine) -> ClassSet:
    ours, theirs = engine.info, reference.info
    if ours.classes.names != theirs.classes.names or ours.input_hw != theirs.input_hw:
        raise EngineError(f"{ours} can't be compared with {theirs}: other classes or another size")
    return ours.classes


def _groups(frames: Iterable[Frame], size: int) -> Iterator[list[Frame]]:
    iterator = iter(frames)
    while group := list(islice(iterator, size)):
        yield group


def _by_class(classes: ClassSet, values: npt.NDArray[np.float64]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in zip(classes.names, values, strict=True)
        if not np.isnan(value)
    }
