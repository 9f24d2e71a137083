"""The process of one job: a job in on stdin, its answer out as the last line of stdout, as JSON."""

from __future__ import annotations

import math
import sys

from pydantic import BaseModel

from rtseg.bench.meter import peak_mib
from rtseg.cli._compare.result import CompareJob, Score, Trained
from rtseg.cli._compare.timing import time_network
from rtseg.device import device_title, pick_device, pick_precision, precision_name
from rtseg.training.budget import Budget
from rtseg.training.comparison import read_classes
from rtseg.training.contender import compete
from rtseg.training.evaluate import Evaluation


def work() -> int:
    """Do the job of this process.

    Raises:
        RtsegError: it can't be done.
    """
    job = CompareJob.model_validate_json(sys.stdin.read())
    answer = do(job)
    sys.stdout.write("\n" + answer.model_dump_json() + "\n")
    sys.stdout.flush()
    return 0


def do(job: CompareJob) -> BaseModel:
    """Do a job and return its answer, a `Trained` or a `Timing`."""
    conditions = job.conditions
    if job.kind == "time":
        classes = read_classes(conditions.data)
        return time_network(job.network, len(classes), conditions.recipe, conditions.device)
    return _train(job)


def _train(job: CompareJob) -> Trained:
    conditions, recipe = job.conditions, job.conditions.recipe
    contender = compete(
        recipe,
        job.network,
        conditions.data,
        Budget.parse(conditions.budget),
        weights=job.weights,
        device=conditions.device,
    )
    device = pick_device(conditions.device)
    return Trained(
        steps=contender.steps,
        pictures=contender.pictures,
        wall_s=round(contender.wall_s, 2),
        cpu_s=round(contender.cpu_s, 2),
        loss=contender.loss,
        crop_hw=contender.crop_hw,
        peak_mib=round(peak_mib(), 1),
        hardware=device_title(device),
        precision=precision_name(pick_precision(recipe.precision, device)),
        scores={name: _score(evaluation) for name, evaluation in contender.scores.items()},
    )


def _score(evaluation: Evaluation) -> Score:
    whole = evaluation.metrics()
    return Score(
        pictures=len(evaluation.pictures),
        mean_iou=_share(whole["mean_iou"]),
        pixel_accuracy=_share(whole["pixel_accuracy"]),
        class_iou={
            name: _share(values["iou"]) for name, values in evaluation.class_metrics().items()
        },
    )


def _share(value: float) -> float | None:
    """Return a share in the five digits that mean something; None for nan."""
    return None if math.isnan(value) else round(value, 5)
