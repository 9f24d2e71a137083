"""How well single objects are found: the part of ``rtseg evaluate`` that --instances asks for."""

from __future__ import annotations

import argparse

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress

from rtseg.errors import ConfigError
from rtseg.training.datasets import SegmentationDataset
from rtseg.training.evaluate import percent
from rtseg.training.evaluate_instances import (
    InstanceEvaluation,
    evaluate_instances,
    instance_finder,
)
from rtseg.training.predictor import Predictor

METHODS = {
    "components": "connected parts of a class",
    "energy": "cut of the network's energy",
    "border": "watershed between the network's borders",
}
TITLES = {
    "ap": "AP (0.50 to 0.95)",
    "ap50": "AP50",
    "pq": "panoptic quality",
    "sq": "segmentation quality",
    "rq": "recognition quality",
    "pq_things": "PQ of objects",
    "pq_stuff": "PQ of the rest",
}


def check_instances(
    predictor: Predictor, dataset: SegmentationDataset, arguments: argparse.Namespace
) -> None:
    """Refuse what can't be measured, before anything is.

    Raises:
        DataError: the data set knows no objects.
        ConfigError: the network can't find them in the way that is asked for.
    """
    if arguments.instances is None:
        return
    if arguments.crf or arguments.crf_set:
        raise ConfigError("--instances measures the network's own class map: leave out --crf")
    instance_finder(predictor, dataset, arguments.instances)


def instance_values(
    console: Console,
    predictor: Predictor,
    dataset: SegmentationDataset,
    arguments: argparse.Namespace,
) -> dict[str, object]:
    """Measure and show how objects are found; return what goes into the JSON file.

    Nothing is done, and nothing returned, where the arguments don't ask for it.
    """
    if arguments.instances is None:
        return {}
    errors = Console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task("finding objects", total=len(dataset))
        evaluation = evaluate_instances(
            predictor,
            dataset,
            arguments.instances,
            batch_size=arguments.batch_size,
            progress=lambda done, _: bar.update(task, completed=done),
        )
    _show(console, evaluation)
    return {"instances": evaluation.to_dict()}


def _show(console: Console, evaluation: InstanceEvaluation) -> None:
    console.print(f"objects: {METHODS[evaluation.method]}")
    table = evaluation.table()
    table.box = SIMPLE_HEAD
    console.print(table)
    for key, value in evaluation.metrics().items():
        console.print(f"{TITLES[key]:<24}{percent(value):>7} %")
