"""Reading back what `--masks` wrote: the very class maps, with their times and classes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.error import FFmpegError

from rtseg.classes import ClassSet
from rtseg.errors import DataError
from rtseg.frames import Labels
from rtseg.stream.sinks.class_map_film import CLASSES_TAG, parts_of
from rtseg.stream.sinks.class_map_folder import CLASSES_FILE, TIMES_FILE


def read_class_maps(path: str | Path) -> Iterator[tuple[float, Labels]]:
    """Yield the time in seconds and the labels, uint8 [H, W], of each class map.

    >>> from rtseg.stream.sinks import read_class_maps
    >>> for pts_s, labels in read_class_maps("masks.mkv"):  # doctest: +SKIP
    ...     print(f"{pts_s:.3f} s", labels.shape)

    Args:
        path: a film, whose later parts follow, or a folder.

    Raises:
        DataError: there is nothing of the kind, or it can't be read.
    """
    path = Path(path)
    if path.is_dir():
        yield from _read_folder(path)
        return
    for part in parts_of(path):
        yield from _read_film(part)


def read_classes(path: str | Path) -> ClassSet:
    """Return what the ids in a film or folder of class maps mean.

    Raises:
        DataError: there is nothing of the kind, or it doesn't say.
    """
    path = Path(path)
    try:
        if path.is_dir():
            text = (path / CLASSES_FILE).read_text(encoding="utf-8")
        else:
            text = _tags(path)[CLASSES_TAG]
        values = json.loads(text)
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{path} doesn't tell its classes: {error}") from error
    return ClassSet.from_dict(values)


def _tags(film: Path) -> dict[str, str]:
    with _open(film) as container:
        return {key.upper(): value for key, value in container.metadata.items()}


def _open(film: Path) -> Any:
    try:
        return av.open(str(film))
    except (FFmpegError, ValueError) as error:
        raise DataError(f"{film} can't be read as class maps: {error}") from error


def _read_film(film: Path) -> Iterator[tuple[float, Labels]]:
    with _open(film) as container:
        if not container.streams.video:
            raise DataError(f"{film} holds no pictures")
        stream = container.streams.video[0]
        if stream.codec_context.name != "ffv1" or stream.codec_context.pix_fmt != "gray":
            raise DataError(f"{film} holds no class maps, but {stream.codec_context.name}")
        try:
            for frame in container.decode(stream):
                yield float(frame.time), frame.to_ndarray()
        except FFmpegError as error:
            raise DataError(f"{film} is damaged: {error}") from error


def _read_folder(folder: Path) -> Iterator[tuple[float, Labels]]:
    try:
        lines = (folder / TIMES_FILE).read_text(encoding="utf-8").splitlines()
        entries = [json.loads(line) for line in lines]
        times = [(folder / str(entry["file"]), float(entry["pts_s"])) for entry in entries]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{folder} is no folder of class maps: {error}") from error
    for file, pts_s in times:
        labels = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        if labels is None or labels.ndim != 2 or labels.dtype != np.uint8:
            raise DataError(f"{file} is missing or no class map")
        yield pts_s, np.asarray(labels, np.uint8)
