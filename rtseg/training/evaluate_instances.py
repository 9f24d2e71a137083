"""How good a network finds the objects of a data set: average precision and panoptic quality."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from rtseg import instance_metrics as measures
from rtseg.classes import ClassSet
from rtseg.errors import DataError
from rtseg.instance_metrics import InstanceMatches, PanopticCounts
from rtseg.instances.instance_map import InstanceMap, countable_ids
from rtseg.instances.panoptic import panoptic_merge
from rtseg.training.datasets.dataset import Sample, SegmentationDataset
from rtseg.training.evaluate import percent, sample_batches
from rtseg.training.instance_predictor import InstancePredictor, Method
from rtseg.training.predictor import LabelMap, Predictor

Progress = Callable[[int, int], None]
"""Called with (pictures done, pictures in all) after every batch."""

LEAST_SHARE = measures.MIN_AREA_PX / (1024 * 2048)
"""True objects below this share of their picture are not judged: 100 px in Cityscapes' pictures."""
LEAST_AREA_PX = 25
"""Nor are those below so many pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class InstanceEvaluation:
    """What `evaluate_instances` found. Measures are shares of 1; nan where there is nothing.

    Args:
        classes: the class set.
        things: ids of the countable classes.
        method: how objects were found.
        matches: what became of every object.
        panoptic: what became of every segment.
        pictures: how many there were.
        seconds: wall time, reading included.
    """

    classes: ClassSet
    things: tuple[int, ...]
    method: Method
    matches: InstanceMatches
    panoptic: PanopticCounts
    pictures: int
    seconds: float

    def metrics(self) -> dict[str, float]:
        """Return the measures of the whole data set by name."""
        stuff = [index for index in range(len(self.classes)) if index not in self.things]
        whole = measures.panoptic_quality(self.panoptic)
        return {
            "ap": measures.mean_average_precision(self.matches),
            "ap50": measures.mean_average_precision(self.matches, 0.5),
            "pq": whole.quality,
            "sq": whole.segmentation,
            "rq": whole.recognition,
            "pq_things": measures.panoptic_quality(self.panoptic, self.things).quality,
            "pq_stuff": measures.panoptic_quality(self.panoptic, stuff).quality,
        }

    def class_metrics(self) -> dict[str, dict[str, float]]:
        """Return ap, ap50, pq, sq, rq and the number of true objects judged, by class name."""
        precisions = measures.average_precisions(self.matches)
        panoptic = measures.panoptic_by_class(self.panoptic)
        rows = {}
        for index, name in enumerate(self.classes.names):
            counted = index in self.things
            quality, segmentation, recognition = panoptic[index].tolist()
            rows[name] = {
                "ap": float(precisions[index].mean()) if counted else math.nan,
                "ap50": float(precisions[index, 0]) if counted else math.nan,
                "pq": quality,
                "sq": segmentation,
                "rq": recognition,
                "objects": float(self.matches.objects[index]) if counted else math.nan,
            }
        return rows

    def table(self) -> Table:
        """Return the measures of each class, in percent, for a person to read."""
        table = Table("class")
        for title in ("objects", "AP %", "AP50 %", "PQ %", "SQ %", "RQ %"):
            table.add_column(title, justify="right")
        keys = ("ap", "ap50", "pq", "sq", "rq")
        for name, values in self.class_metrics().items():
            objects = "" if math.isnan(values["objects"]) else f"{values['objects']:.0f}"
            table.add_row(Text(name), objects, *(percent(values[key]) for key in keys))
        table.add_section()
        whole = self.metrics()
        table.add_row(
            "mean", f"{self.matches.objects.sum()}", *(percent(whole[key]) for key in keys)
        )
        return table

    def to_dict(self) -> dict[str, object]:
        """Return a form that JSON can hold; what is nan here is None there."""
        return {
            "method": self.method,
            "things": [self.classes.names[index] for index in self.things],
            "metrics": _without_nan(self.metrics()),
            "classes": {
                name: _without_nan(values) for name, values in self.class_metrics().items()
            },
            "pictures": self.pictures,
            "seconds": self.seconds,
        }


def _without_nan(values: dict[str, float]) -> dict[str, float | None]:
    return {key: None if math.isnan(value) else value for key, value in values.items()}


def evaluate_instances(
    predictor: Predictor,
    dataset: SegmentationDataset,
    method: Method = "auto",
    *,
    batch_size: int = 4,
    least_area_px: int | None = None,
    progress: Progress | None = None,
) -> InstanceEvaluation:
    """Find the objects of every picture of `dataset` at its own size and compare with the truth.

    Args:
        predictor: the network; its classes are the data set's.
        dataset: one that knows objects.
        method: how they are found.
        batch_size: how many neighbours of one size run together.
        least_area_px: smaller true objects are not judged; None: 100 px in a picture of 1024x2048
            and the same share of others, 25 px at the least.
        progress: called with (done, total) after every batch.

    Raises:
        DataError: the data set is empty, knows no objects or has no countable class.
        ConfigError: the network can't find objects by that method.
    """
    finder = instance_finder(predictor, dataset, method)
    things = finder.things
    started = time.perf_counter()
    tally = _Tally(dataset.classes, things, least_area_px)
    for samples in sample_batches(dataset, batch_size):
        found = finder.find([sample.image_bgr for sample in samples])
        for sample, (labels, instances) in zip(samples, found, strict=True):
            tally.add(sample, labels, instances)
        if progress is not None:
            progress(tally.pictures, len(dataset))
    seconds = time.perf_counter() - started
    return InstanceEvaluation(
        dataset.classes, things, finder.method, tally.matches, tally.panoptic, tally.pictures,
        seconds,
    )  # fmt: skip


def instance_finder(
    predictor: Predictor, dataset: SegmentationDataset, method: Method = "auto"
) -> InstancePredictor:
    """Return what finds the objects of a data set.

    Raises:
        DataError: the data set is empty, knows no objects or has no countable class.
        ConfigError: the network can't find objects by that method.
    """
    things = countable_ids(dataset.classes)
    if len(dataset) == 0:
        raise DataError("the data set has no pictures to evaluate on")
    if not dataset.has_instances:
        raise DataError(
            f"the data set of {dataset.classes.name!r} knows classes alone, so objects can't be "
            "compared: take data with objects, such as configs/datasets/demo.yaml"
        )
    if not things:
        raise DataError(
            f"no class of {dataset.classes.name!r} is countable: {', '.join(dataset.classes.names)}"
        )
    return InstancePredictor(predictor, things, method)


class _Tally:
    """The running sums of one evaluation."""

    def __init__(
        self, classes: ClassSet, things: tuple[int, ...], least_area_px: int | None
    ) -> None:
        self._count, self._things, self._least_area_px = len(classes), things, least_area_px
        self.matches = measures.no_matches(self._count)
        self.panoptic = measures.no_panoptic_counts(self._count)
        self.pictures = 0

    def add(self, sample: Sample, labels: LabelMap, instances: InstanceMap) -> None:
        ids = sample.instances
        if ids is None:
            raise DataError(f"{sample.name}: its objects are not known")
        least = self._least_area_px
        if least is None:
            least = max(LEAST_AREA_PX, round(LEAST_SHARE * labels.size))
        count, things = self._count, self._things
        self.matches += measures.match_instances(
            sample.labels, ids, instances, count, things, least
        )
        merged, merged_ids = panoptic_merge(labels, instances, things)
        self.panoptic += measures.panoptic_counts(
            sample.labels, ids, merged, merged_ids, count, things
        )
        self.pictures += 1
