"""What a process of a comparison is asked, what it answers, and what is kept of each network."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Literal

from pydantic import Field

from rtseg.bench.spread import Spread
from rtseg.config import Config
from rtseg.training.comparison import HELD_OUT, ComparisonConfig


class Conditions(Config):
    """What is the same for all networks of a comparison.

    Args:
        data: the data set's YAML file.
        budget: of each training, such as ``"2cpumin"``.
        device: "auto", "cpu", "cuda" or "cuda:N".
        recipe: everything else.
    """

    data: Path
    budget: str
    device: str = "auto"
    recipe: ComparisonConfig = Field(default_factory=ComparisonConfig)


class CompareJob(Config):
    """One process: train and score a network, or time it.

    Args:
        kind: train, or time.
        network: its registered name.
        conditions: of the comparison.
        weights: where trained weights go; None keeps none.
    """

    kind: Literal["train", "time"]
    network: str
    conditions: Conditions
    weights: Path | None = None


class Score(Config):
    """How good a network is on some pictures; shares of 1, None where there is nothing.

    Args:
        pictures: how many were labelled.
        mean_iou: over the classes that occur.
        pixel_accuracy: of the pixels that aren't void.
        class_iou: by the class's name.
    """

    pictures: int
    mean_iou: float | None
    pixel_accuracy: float | None
    class_iou: dict[str, float | None]


class Trained(Config):
    """How a training came out.

    Args:
        steps: taken within the budget.
        pictures: learned from, repetitions counted.
        wall_s: seconds of learning.
        cpu_s: seconds that all threads computed meanwhile.
        loss: mean of the last tenth of the steps.
        crop_hw: height and width of the crops.
        peak_mib: the most memory that the process ever had, MiB.
        hardware: what it ran on.
        precision: of the convolutions.
        scores: by the name of the pictures: "val", "held-out".
    """

    steps: int
    pictures: int
    wall_s: float
    cpu_s: float
    loss: float
    crop_hw: tuple[int, int]
    peak_mib: float
    hardware: str
    precision: str
    scores: dict[str, Score]


class Timing(Config):
    """One repetition: a normalised picture in, its class map out, batch 1.

    Args:
        input_hw: height and width of the picture.
        hardware: what it ran on.
        precision: of the convolutions.
        wall_ms: milliseconds of each pass.
        cpu_ms: what all threads computed in each.
    """

    input_hw: tuple[int, int]
    hardware: str
    precision: str
    wall_ms: tuple[float, ...] = Field(min_length=1)
    cpu_ms: tuple[float, ...] = Field(min_length=1)


class NetworkResult(Config):
    """All that is known of one network of a comparison.

    Args:
        name: its registered name.
        title: as the paper writes it.
        family: the name of its class.
        parameters: of the deployed network, for the data set's classes.
        gmacs: multiply-adds of one picture of `count_hw`, in 10^9.
        count_hw: height and width of that picture.
        trained: None where that failed.
        timings: one for each repetition.
        problem: why something is missing.
    """

    name: str
    title: str
    family: str
    parameters: int
    gmacs: float
    count_hw: tuple[int, int]
    trained: Trained | None = None
    timings: tuple[Timing, ...] = ()
    problem: str = ""

    def latency_ms(self) -> Spread | None:
        """Return the spread of the repetitions' medians; None if it wasn't timed."""
        return _spread([timing.wall_ms for timing in self.timings])

    def cpu_ms(self) -> Spread | None:
        """Return the same of what all threads computed."""
        return _spread([timing.cpu_ms for timing in self.timings])

    @property
    def headline(self) -> float | None:
        """The mean IoU that networks are ranked by: on held-out pictures, else on val."""
        if self.trained is None:
            return None
        scores = self.trained.scores
        return (scores.get(HELD_OUT) or scores["val"]).mean_iou


def _spread(repetitions: list[tuple[float, ...]]) -> Spread | None:
    medians = [statistics.median(passes) for passes in repetitions]
    return Spread.of(medians) if medians else None


class Comparison(Config):
    """A whole comparison, as its JSON file holds it.

    Args:
        conditions: the same for all.
        date: when it was written, ISO 8601.
        versions: of python and the packages that matter.
        networks: the best first, those without a score last.
    """

    conditions: Conditions
    date: str
    versions: dict[str, str]
    networks: tuple[NetworkResult, ...]
