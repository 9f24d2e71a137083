"""Measuring trained weights on a labelled data set: the work of ``rtseg evaluate``."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress

from rtseg.classes import ClassSet
from rtseg.cli._crf_effect import crf_values, read_crf, show_effect
from rtseg.cli._instance_report import check_instances, instance_values
from rtseg.cli._picture_files import write_picture, write_whole
from rtseg.cli._prediction import (
    open_predictor,
)
from rtseg.device import device_title, pick_precision, precision_name
from rtseg.errors import ConfigError, DataError
from rtseg.networks.trained import ModelCard
from rtseg.training.datasets import DataSource, SegmentationDataset, open_sources
from rtseg.training.evaluate import Evaluation, PictureScore, evaluate, percent
from rtseg.training.pictures import comparison, contact_sheet
from rtseg.training.predictor import Predictor

PIPED_WIDTH = 100
"""Columns of text where the output is no terminal."""
SHEET_WIDTH_PX = 1600
TITLES = {
    "mean_iou": "mean IoU",
    "mean_class_accuracy": "mean class accuracy",
    "pixel_accuracy": "pixel accuracy",
    "frequency_weighted_iou": "frequency-weighted IoU",
    "dice": "Dice",
    "mask_precision": "mean mask precision",
    "boundary_f": "mean boundary F score",
    "temporal_consistency": "temporal consistency",
    "flicker": "flicker",
}


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, show the table, and write what was asked for."""
    if arguments.video and arguments.limit:
        raise ConfigError(
            "--video compares neighbouring frames, but --limit picks single ones: leave one out, "
            "or choose a sequence with --include"
        )
    source = DataSource(
        data=arguments.data,
        split=arguments.split,
        include=arguments.include,
        exclude=arguments.exclude,
        limit=arguments.limit,
        repeat=1,
    )
    dataset = open_sources([source], Path.cwd())
    predictor, card = open_predictor(arguments)
    predictor = replace(predictor, input_hw=arguments.resize)
    check_classes(card, dataset.classes)
    check_instances(predictor, dataset, arguments)
    crf = read_crf(arguments.crf_set) if arguments.crf or arguments.crf_set else None
    evaluation, plain = _evaluate(predictor, dataset, arguments), None
    if crf is not None:
        plain, predictor = evaluation, replace(predictor, crf=crf)
        evaluation = _evaluate(predictor, dataset, arguments)
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    console = Console(width=width, highlight=False, markup=False, soft_wrap=True)
    _show(console, evaluation, arguments, predictor)
    if plain is not None:
        show_effect(console, plain, evaluation)
    objects = instance_values(console, predictor, dataset, arguments)
    if arguments.json:
        values = _as_json(evaluation, arguments, card, predictor)
        values |= crf_values(predictor, plain) | objects
        text = json.dumps(values, indent=2, ensure_ascii=False)
        write_whole(arguments.json, f"{text}\n".encode())
    if arguments.pictures:
        _write_pictures(console, evaluation, dataset, predictor, arguments.pictures)
    return 0


def check_classes(card: ModelCard, classes: ClassSet) -> None:
    """Refuse a data set whose classes are not the network's.

    Raises:
        DataError: the names or their order differ; the message names both.
    """
    if card.classes.names != classes.names:
        raise DataError(
            f"{card.name} labels the {len(card.classes)} classes of {card.classes.name!r} "
            f"({', '.join(card.classes.names)}) but the data set has the {len(classes)} of "
            f"{classes.name!r} ({', '.join(classes.names)}): evaluate on a data set with the "
            "network's classes in the network's order"
        )


def _evaluate(
    predictor: Predictor, dataset: SegmentationDataset, arguments: argparse.Namespace
) -> Evaluation:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("labelling", total=len(dataset))
        return evaluate(
            predictor.network,
            dataset,
            predictor.normalisation,
            device=predictor.device,
            precision=predictor.precision,
            flip=predictor.flip,
            batch_size=arguments.batch_size,
            boundary=arguments.boundary,
            video=arguments.video,
            input_hw=predictor.input_hw,
            threshold=predictor.threshold,
            padding=predictor.padding,
            crf=predictor.crf,
            progress=lambda done, _: bar.update(task, completed=done),
        )


def _show(
    console: Console, evaluation: Evaluation, arguments: argparse.Namespace, predictor: Predictor
) -> None:
    count = len(evaluation.pictures)
    pictures = "1 picture" if count == 1 else f"{count} pictures"
    console.print(f"{arguments.weights} on {arguments.data}, {arguments.split}: {pictures}")
    console.print(_conditions(predictor))
    table = evaluation.table()
    table.box = SIMPLE_HEAD
    console.print(table)
    for key, value in evaluation.metrics().items():
        console.print(f"{TITLES[key]:<24}{percent(value):>7} %")
    speed = count / evaluation.seconds
    console.print(f"{evaluation.seconds:.1f} s, {speed:.1f} pictures/s with reading and counting")


def _conditions(predictor: Predictor) -> str:
    size = "own size" if predictor.input_hw is None else "{}x{}".format(*predictor.input_hw)
    flip = "picture and mirror image (logits averaged)" if predictor.flip else "no flip"
    precision = precision_name(pick_precision(predictor.precision, predictor.device))
    threshold = "" if predictor.threshold is None else f"threshold {predictor.threshold:.2f}, "
    where = f"{device_title(predictor.device)}, {precision}, {size}, {flip}"
    crf = "" if predictor.crf is None else "dense CRF, "
    return f"{where}, {threshold}{crf}void pixels ignored"


def _as_json(
    evaluation: Evaluation, arguments: argparse.Namespace, card: ModelCard, predictor: Predictor
) -> dict[str, object]:
    return {
        "weights": str(arguments.weights),
        "name": card.name,
        "network": card.network,
        "data": str(arguments.data),
        "split": arguments.split,
        "include": arguments.include,
        "exclude": arguments.exclude,
        "limit": arguments.limit,
        "device": device_title(predictor.device),
        "precision": precision_name(pick_precision(predictor.precision, predictor.device)),
        "input_hw": predictor.input_hw,
        "flip": predictor.flip,
        "class_set": card.classes.name,
        **evaluation.to_dict(),
    }


def notable(scores: Sequence[PictureScore], each: int = 3) -> dict[int, str]:
    """Return up to `each` worst, median and best pictures: position → "worst 1", …

    No picture stands twice, and pictures without labelled pixels are left out.
    """
    known = [index for index, score in enumerate(scores) if not math.isnan(score.mean_iou)]
    order = sorted(known, key=lambda index: scores[index].mean_iou)
    count = min(each, max(1, len(order) // 3))
    middle = (len(order) - count) // 2
    chosen: dict[int, str] = {}
    for role, picks in (
        ("worst", order[:count]),
        ("best", order[::-1][:count]),
        ("median", order[middle : middle + count]),
    ):
        for rank, index in enumerate(picks, 1):
            chosen.setdefault(index, f"{role} {rank}")
    return dict(sorted(chosen.items(), key=lambda item: scores[item[0]].mean_iou))


def _write_pictures(
    console: Console,
    evaluation: Evaluation,
    dataset: SegmentationDataset,
    predictor: Predictor,
    folder: Path,
) -> None:
    """Write a panel for each notable picture, and overview.png with all of them."""
    panels, captions = [], []
    for index, role in notable(evaluation.pictures).items():
        sample = dataset[index]
        labels = predictor.labels([sample.image_bgr])[0]
        panels.append(comparison(sample.image_bgr, sample.labels, labels, dataset.classes))
        score = percent(evaluation.pictures[index].mean_iou)
        captions.append(f"{role}: {sample.name}, mIoU {score} %")
        write_picture(folder / f"{role.replace(' ', '_')}.png", panels[-1])
        console.print(captions[-1])
    if panels:
        height, width = panels[0].shape[:2]
        cell_wh = (SHEET_WIDTH_PX, round(SHEET_WIDTH_PX * height / width))
        write_picture(folder / "overview.png", contact_sheet(panels, captions, 1, cell_wh))
        console.print(f"panels (picture | truth | prediction | errors) are in {folder}")
