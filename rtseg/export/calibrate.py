"""Pictures that int8 engines measure the ranges of their maps on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from rtseg.errors import DataError
from rtseg.fit import Fit, FitMode
from rtseg.frames import Image

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
MOST_PICTURES = 128
"""More pictures hardly change the ranges, and each takes a run of the network."""


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationPictures:
    """Pictures at an engine's input size.

    Args:
        images_bgr: uint8 [H, W, 3] each, all of one size.
        origin: where they came from, for the manifest.

    Raises:
        DataError: there are none, or they differ in size.
    """

    images_bgr: tuple[Image, ...]
    origin: str

    def __post_init__(self) -> None:
        if not self.images_bgr:
            raise DataError(f"no calibration pictures in {self.origin}; at least one is needed")
        shapes = {image.shape for image in self.images_bgr}
        if len(shapes) > 1 or next(iter(shapes))[2:] != (3,):
            raise DataError(f"calibration pictures must be of one size; got {sorted(shapes)[:4]}")

    @property
    def hw(self) -> tuple[int, int]:
        """Height and width of the pictures."""
        height, width = self.images_bgr[0].shape[:2]
        return height, width

    def digest(self) -> str:
        """Return a hash of the pixels, for the engine's key."""
        sha = hashlib.sha256()
        for image in self.images_bgr:
            sha.update(np.ascontiguousarray(image).data)
        return sha.hexdigest()[:16]


def calibration_pictures(
    images_bgr: Iterable[Image],
    input_hw: tuple[int, int],
    origin: str,
    fit: FitMode = "stretch",
    count: int = MOST_PICTURES,
) -> CalibrationPictures:
    """Bring at most `count` pictures, uint8 BGR [H, W, 3] of any size, to the input size.

    Raises:
        DataError: there are none.
    """
    fitted = []
    for image in images_bgr:
        height, width = image.shape[:2]
        fitted.append(Fit(fit, (height, width), input_hw).apply(image))
        if len(fitted) == count:
            break
    return CalibrationPictures(tuple(fitted), origin)


def calibration_from(
    path: Path, input_hw: tuple[int, int], fit: FitMode = "stretch", count: int = MOST_PICTURES
) -> CalibrationPictures:
    """Take `count` pictures, evenly spread, from a folder of pictures or a film.

    Raises:
        DataError: there is no such folder or film, or no picture can be read from it.
    """
    if path.is_dir():
        images = _of_folder(path, count)
    elif path.is_file():
        images = _of_film(path, count)
    else:
        raise DataError(f"no calibration pictures: {path} is neither a folder nor a film")
    return calibration_pictures(images, input_hw, path.name, fit, count)


def _of_folder(folder: Path, count: int) -> Iterator[Image]:
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
    for path in _spread(paths, count):
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise DataError(f"the calibration picture {path} can't be read")
        yield np.asarray(image, np.uint8)


def _of_film(path: Path, count: int) -> Iterator[Image]:
    """Decode twice, the first time to count the frames: what containers say of that is a guess."""
    try:
        with av.open(str(path)) as film:
            frames = sum(1 for _ in film.decode(video=0))
        wanted = set(_spread(range(frames), count))
        with av.open(str(path)) as film:
            for index, frame in enumerate(film.decode(video=0)):
                if index in wanted:
                    yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
    except (av.FFmpegError, IndexError) as error:
        raise DataError(f"no calibration pictures: {path} can't be read as a film") from error


def _spread(items: Iterable, count: int) -> list:  # type: ignore[type-arg]
    """Return at most `count` of the items at even distances."""
    items = list(items)
    if len(items) <= count:
        return items
    return [items[index * len(items) // count] for index in range(count)]
