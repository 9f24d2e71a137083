"""How good a network is on a labelled data set: every picture at its own size, one confusion."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from rich.table import Table
from rich.text import Text

from rtseg import metrics as measures
from rtseg.classes import ClassSet
from rtseg.dense_crf import DenseCrfConfig
from rtseg.errors import DataError
from rtseg.metrics import BoundaryCounts, Counts, TemporalCounts
from rtseg.networks import SegmentationNetwork
from rtseg.networks.binary import NUM_CLASSES as NUM_BINARY_CLASSES
from rtseg.networks.normalisation import Normalisation
from rtseg.networks.padding import Padding
from rtseg.training.datasets.dataset import Sample, SegmentationDataset
from rtseg.training.mask_precision import mask_precision
from rtseg.training.predictor import LabelMap, Predictor, predict_logits
from rtseg.training.threshold_curve import THRESHOLDS, ThresholdCurve, threshold_levels

__all__ = ["Evaluation", "PictureScore", "Predictor", "evaluate", "predict_logits", "predictions"]

Progress = Callable[[int, int], None]
"""Called with (pictures done, pictures in all) after every batch."""

READING_THREADS = 4


def predictions(
    predictor: Predictor, dataset: SegmentationDataset, batch_size: int
) -> Iterator[list[tuple[Sample, LabelMap]]]:
    """Yield (sample, predicted labels [H, W]) in the data set's order, a list for each batch.

    Neighbours of one size share a batch; the next pictures are read meanwhile.
    """
    for samples in sample_batches(dataset, batch_size):
        labels = predictor.labels([sample.image_bgr for sample in samples])
        yield list(zip(samples, labels, strict=True))


def sample_batches(dataset: SegmentationDataset, batch_size: int) -> Iterator[list[Sample]]:
    """Yield the data set's samples in order, neighbours of one size together, read ahead."""
    batch: list[Sample] = []
    for sample in _read_ahead(dataset, 2 * batch_size):
        if batch and (len(batch) == batch_size or batch[0].labels.shape != sample.labels.shape):
            yield batch
            batch = []
        batch.append(sample)
    if batch:
        yield batch


def _read_ahead(dataset: SegmentationDataset, ahead: int) -> Iterator[Sample]:
    with ThreadPoolExecutor(READING_THREADS, "read-sample") as pool:
        waiting: deque[Future[Sample]] = deque()
        try:
            for index in range(len(dataset)):
                waiting.append(pool.submit(dataset.__getitem__, index))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


@dataclass(frozen=True, slots=True)
class PictureScore:
    """One picture's name and its mIoU over the classes that occur in it (nan: all void)."""

    name: str
    mean_iou: float


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What `evaluate` found. All measures are shares of 1; nan stands where there is nothing.

    Args:
        classes: the class set.
        confusion: int64 [K, K+1], see `rtseg.metrics.confusion_counts`.
        seconds: wall time, reading included.
        pictures: the score of each picture, in the data set's order.
        boundary: boundary counts, if they were asked for.
        temporal: counts of consecutive frames, if they were asked for.
        curve: counts at every threshold, of a binary network.
        threshold: at which the other measures were taken, of a binary network.
        mask_precision: the pictures' mean `rtseg.training.mask_precision`, of a binary network.
    """

    classes: ClassSet
    confusion: Counts
    seconds: float
    pictures: tuple[PictureScore, ...]
    boundary: BoundaryCounts | None = None
    temporal: TemporalCounts | None = None
    curve: ThresholdCurve | None = None
    threshold: float | None = None
    mask_precision: float = math.nan

    def at_best_threshold(self) -> Evaluation:
        """Return a binary network's evaluation at the threshold that the curve is best at.

        The scores of single pictures, and what was counted of boundaries and frames, stay behind.
        Other evaluations are returned as they are.
        """
        if self.curve is None:
            return self
        best = self.curve.best_threshold()
        precision = float(self.curve.mask_precision()[THRESHOLDS.index(best)])
        return Evaluation(
            self.classes, self.curve.confusion(best), self.seconds, (),
            curve=self.curve, threshold=best, mask_precision=precision,
        )  # fmt: skip

    def metrics(self) -> dict[str, float]:
        """Return the measures of the whole data set by name."""
        values = {
            "mean_iou": measures.mean_iou(self.confusion),
            "mean_class_accuracy": measures.mean_class_accuracy(self.confusion),
            "pixel_accuracy": measures.pixel_accuracy(self.confusion),
            "frequency_weighted_iou": measures.frequency_weighted_iou(self.confusion),
        }
        if self.threshold is not None:
            marked = int(self.confusion[1].sum() + self.confusion[:, 1].sum())
            values["dice"] = measures.share(2 * int(self.confusion[1, 1]), marked)
            values["mask_precision"] = self.mask_precision
        if self.boundary is not None:
            values["boundary_f"] = measures.mean_of(measures.boundary_f_score(self.boundary))
        if self.temporal is not None:
            values["temporal_consistency"] = measures.temporal_consistency(self.temporal)
            values["flicker"] = 1 - values["temporal_consistency"]
        return values

    def class_metrics(self) -> dict[str, dict[str, float]]:
        """Return iou, accuracy, share of the truth and boundary_f (if asked for) by class name."""
        columns = {
            "iou": measures.iou(self.confusion),
            "accuracy": measures.class_accuracy(self.confusion),
            "share": measures.class_shares(self.confusion),
        }
        if self.boundary is not None:
            columns["boundary_f"] = measures.boundary_f_score(self.boundary)
        return {
            name: {key: float(values[index]) for key, values in columns.items()}
            for index, name in enumerate(self.classes.names)
        }

    def table(self) -> Table:
        """Return the measures of each class, and their means, in percent, for a person to read."""
        rows = self.class_metrics()
        keys = list(next(iter(rows.values())))
        table = Table("class")
        for key in keys:
            table.add_column(COLUMN_TITLES[key], justify="right")
        for name, values in rows.items():
            table.add_row(Text(name), *(percent(values[key]) for key in keys))
        table.add_section()
        whole = self.metrics()
        means = {"iou": "mean_iou", "accuracy": "mean_class_accuracy", "boundary_f": "boundary_f"}
        table.add_row("mean", *(percent(whole[means[k]]) if k in means else "" for k in keys))
        return table

    def to_dict(self) -> dict[str, object]:
        """Return a form that JSON can hold; what is nan here is None there."""
        binary: dict[str, object] = {}
        if self.curve is not None:
            binary = {"threshold": self.threshold, "threshold_curve": self.curve.to_dict()}
        return {
            "metrics": {key: _or_none(value) for key, value in self.metrics().items()},
            "classes": {
                name: {key: _or_none(value) for key, value in values.items()}
                for name, values in self.class_metrics().items()
            },
            "confusion": self.confusion.tolist(),
            "pictures": [
                {"name": score.name, "mean_iou": _or_none(score.mean_iou)}
                for score in self.pictures
            ],
            "seconds": self.seconds,
            **binary,
        }


COLUMN_TITLES = {
    "iou": "IoU %",
    "accuracy": "accuracy %",
    "share": "share of truth %",
    "boundary_f": "boundary F %",
}


def percent(value: float) -> str:
    """Return a share as percent with two decimals, or a dash for nan."""
    return "-" if math.isnan(value) else f"{100 * value:.2f}"


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def evaluate(
    network: SegmentationNetwork,
    dataset: SegmentationDataset,
    normalisation: Normalisation,
    *,
    device: torch.device,
    precision: str = "fp32",
    flip: bool = False,
    batch_size: int = 4,
    boundary: bool = False,
    video: bool = False,
    input_hw: tuple[int, int] | None = None,
    threshold: float | None = None,
    padding: Padding = "mean",
    crf: DenseCrfConfig | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Label every picture of `dataset` at its own size and compare with the truth.

    Args:
        network: on `device`, any mode; every module's mode is as before afterwards.
        dataset: its classes must be the network's, in number and order.
        normalisation: the one that the network was trained with.
        device: where the network runs.
        precision: "fp32", "bf16" or "auto".
        flip: average the logits of each picture and its mirror image.
        batch_size: how many neighbours of one size run together.
        boundary: also count boundary pixels (some 20 ms for each picture of 480x360).
        video: the data set is one film in order: also count what stays from frame to frame.
        input_hw: the size that pictures are brought to for the network; None keeps their own. The
            comparison is at their own size all the same.
        threshold: of a binary network, as in its card; None for one channel for each class.
        padding: how pictures of sizes that the network can't take are made larger.
        crf: refine the network's answers by a dense CRF.
        progress: called with (done, total) after every batch.

    Raises:
        DataError: the data set is empty, or has another number of classes than the network.
    """
    if len(dataset) == 0:
        raise DataError("the data set has no pictures to evaluate on")
    _check_classes(network, dataset.classes, threshold)
    started = time.perf_counter()
    tally = _Tally(dataset.classes, boundary, video, threshold)
    predictor = Predictor(
        network, normalisation, device, precision, flip, input_hw, threshold, padding, crf
    )
    for samples in sample_batches(dataset, batch_size):
        logits = predictor.logits([sample.image_bgr for sample in samples])
        levels = threshold_levels(logits) if threshold is not None else None
        for place, labels in enumerate(predictor.decided(logits)):
            tally.add(samples[place], labels, None if levels is None else levels[place])
        if progress is not None:
            progress(len(tally.pictures), len(dataset))
    return tally.result(time.perf_counter() - started)


def _check_classes(
    network: SegmentationNetwork, classes: ClassSet, threshold: float | None
) -> None:
    if threshold is not None and (network.num_classes, len(classes)) != (1, NUM_BINARY_CLASSES):
        raise DataError(
            f"a threshold is for a network of 1 channel on data of {NUM_BINARY_CLASSES} classes; "
            f"this network has {network.num_classes}, {classes.name!r} {len(classes)}"
        )
    if threshold is None and network.num_classes != len(classes):
        raise DataError(
            f"the network has {network.num_classes} classes but the data set "
            f"{classes.name!r} has {len(classes)}: evaluate on the data set "
            "that the network was trained for"
        )


class _Tally:
    """The running sums of one evaluation."""

    def __init__(
        self, classes: ClassSet, boundary: bool, video: bool, threshold: float | None
    ) -> None:
        count = len(classes)
        self.classes = classes
        self.pictures: list[PictureScore] = []
        self.confusion = np.zeros((count, count + 1), np.int64)
        zeros = (np.zeros(count, np.int64) for _ in range(4))
        self.boundary = BoundaryCounts(*zeros) if boundary else None
        self.temporal = TemporalCounts() if video else None
        self.threshold = threshold
        self.curve = None if threshold is None else ThresholdCurve.nothing()
        self.precisions: list[float] = []
        self._previous: tuple[Sample, LabelMap] | None = None

    def add(self, sample: Sample, labels: LabelMap, levels: LabelMap | None = None) -> None:
        count = len(self.classes)
        confusion = measures.confusion_counts(sample.labels, labels, count)
        self.pictures.append(PictureScore(sample.name, measures.mean_iou(confusion)))
        self.confusion += confusion
        if self.curve is not None and levels is not None:
            self.curve += ThresholdCurve.of_picture(sample.labels, levels)
            if confusion.any():
                self.precisions.append(mask_precision(sample.labels, labels))
        if self.boundary is not None:
            self.boundary += measures.boundary_counts(sample.labels, labels, count)
        if self.temporal is not None:
            if self._previous is not None:
                before, labels_before = self._previous
                self.temporal += measures.temporal_counts(
                    labels_before, labels, before.labels, sample.labels
                )
            self._previous = sample, labels

    def result(self, seconds: float) -> Evaluation:
        return Evaluation(
            self.classes, self.confusion, seconds,
            tuple(self.pictures), self.boundary, self.temporal, self.curve, self.threshold,
            float(np.mean(self.precisions)) if self.precisions else math.nan,
        )  # fmt: skip
