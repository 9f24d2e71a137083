"""Labelling single pictures: the work of ``rtseg segment``."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from rtseg.classes import ClassSet
from rtseg.cli._picture_files import OUTPUT_ENDINGS, find_pictures, read_picture, write_picture
from rtseg.cli._prediction import open_predictor
from rtseg.errors import DataError
from rtseg.instances.instance_map import InstanceMap, countable_ids
from rtseg.stream.overlay.instance_outlines import draw_outlines, outline_colours
from rtseg.training.instance_predictor import InstancePredictor, Method
from rtseg.training.pictures import legend, overlay_labels
from rtseg.training.predictor import LabelMap, Picture, Predictor

Find = Callable[[Picture, tuple[int, int] | None], tuple[LabelMap, InstanceMap | None]]

LEGEND_MIN_PX = 240
"""The least height of the legend, so that it can be read beside a small picture."""
SMALLER = "leave out --native, or take --device cpu"


def run(arguments: argparse.Namespace) -> int:
    """Label all pictures that can be; return 2 if one could not, else 0."""
    pictures, problems = find_pictures(arguments.pictures)
    failures = len(problems)
    for problem in problems:
        _complain(problem)
    if not pictures:
        return 2
    predictor, card = open_predictor(arguments)
    find = _finder(predictor, card.classes, arguments.instances)
    for picture, stem in zip(pictures, _stems(pictures), strict=True):
        try:
            outputs = _outputs(arguments, stem)
            image = read_picture(picture)
            hw = None if arguments.native else working_hw(image.shape[:2], card.input_hw)
            labels, objects = find(image, hw)
            report = _write(outputs, image, labels, objects, card.classes, arguments.alpha)
            sys.stdout.write(f"{picture}: {report} -> {outputs[0]}\n")
        except DataError as error:
            failures += 1
            _complain(str(error))
        except torch.OutOfMemoryError:
            failures += 1
            _complain(f"{picture}: too large for the memory of {predictor.device}: {SMALLER}")
    return 2 if failures else 0


def _finder(predictor: Predictor, classes: ClassSet, method: Method | None) -> Find:
    """Return what labels a picture at a working size, and finds its objects if there is a method.

    Raises:
        ConfigError: the network can't find objects like that.
    """
    if method is None:
        return lambda image, hw: (replace(predictor, input_hw=hw).labels([image])[0], None)
    finder = InstancePredictor(predictor, countable_ids(classes), method)

    def find(image: Picture, hw: tuple[int, int] | None) -> tuple[LabelMap, InstanceMap]:
        return replace(finder, predictor=replace(predictor, input_hw=hw)).find([image])[0]

    return find


def _complain(problem: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"rtseg: {problem}\n")


def _stems(pictures: Iterable[Path]) -> Iterator[str]:
    """Yield a name for each picture's results; the second "a" is "a-2", so that none is lost."""
    taken: set[str] = set()
    for picture in pictures:
        stem, number = picture.stem, 1
        while stem in taken:
            number += 1
            stem = f"{picture.stem}-{number}"
        taken.add(stem)
        yield stem


def _outputs(arguments: argparse.Namespace, stem: str) -> list[Path]:
    count = (3 if arguments.instances else 2) if arguments.masks else 1
    endings = OUTPUT_ENDINGS[:count]
    outputs = [arguments.output / f"{stem}{ending}.png" for ending in endings]
    existing = [path for path in outputs if path.exists()]
    if existing and not arguments.overwrite:
        raise DataError(f"{existing[0]} exists: --overwrite replaces it, -o names another folder")
    return outputs


def working_hw(picture_hw: tuple[int, ...], trained_hw: tuple[int, int]) -> tuple[int, int]:
    """Return the size with the picture's proportions and about the pixels of `trained_hw`."""
    height, width = picture_hw
    scale = math.sqrt(trained_hw[0] * trained_hw[1] / (height * width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _write(
    outputs: list[Path],
    image: Picture,
    labels: LabelMap,
    objects: InstanceMap | None,
    classes: ClassSet,
    alpha: float,
) -> str:
    """Write the labelled picture, and the maps that have a place; return the largest classes."""
    shares = np.bincount(labels.ravel(), minlength=len(classes))[: len(classes)] / labels.size
    overlay = overlay_labels(image, labels, classes, alpha)
    if objects is not None:
        draw_outlines(objects.ids, overlay, outline_colours())
    write_picture(outputs[0], with_legend(overlay, classes, shares))
    if len(outputs) > 1:
        write_picture(outputs[1], labels)
    if len(outputs) > 2 and objects is not None:
        write_picture(outputs[2], objects.ids)
    largest = [index for index in np.argsort(-shares)[:3] if shares[index] > 0]
    parts = [f"{classes.names[index]} {100 * shares[index]:.0f} %" for index in largest]
    return ", ".join(parts + ([] if objects is None else [f"{len(objects)} objects"]))


def with_legend(image_bgr: Picture, classes: ClassSet, shares: npt.NDArray[np.float64]) -> Picture:
    """Return the picture with the legend of its classes at its right side."""
    height = max(image_bgr.shape[0], LEGEND_MIN_PX)
    column = legend(classes, shares.tolist(), height)
    canvas = np.zeros((height, image_bgr.shape[1] + column.shape[1], 3), np.uint8)
    canvas[: image_bgr.shape[0], : image_bgr.shape[1]] = image_bgr
    canvas[:, image_bgr.shape[1] :] = column
    return canvas
