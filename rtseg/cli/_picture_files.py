"""Pictures as files: which ones a person means, reading them, and writing PNGs whole or not."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2

from rtseg.errors import DataError
from rtseg.training.datasets.dataset import UInt8, UInt16
from rtseg.training.datasets.image_file import read_image
from rtseg.whole_file import write_whole_file

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
OUTPUT_ENDINGS = ("_labelled", "_mask", "_objects")
"""How the names end that `rtseg segment` gives its outputs."""

_SILENT = 0
"""OpenCV's log level of no lines at all."""


def find_pictures(names: Iterable[str]) -> tuple[list[Path], list[str]]:
    """Return the pictures that files, folders (not their subfolders) and globs name, and problems.

    Each picture stands once, in the order named; a folder's and a glob's in the order of their
    names, without the outputs of an earlier run beside their originals.
    """
    found: dict[Path, None] = {}
    problems = []
    for name in names:
        pictures = _expand(name)
        if not pictures:
            problems.append(
                f"{name}: no picture ({', '.join(SUFFIXES)}) in this folder"
                if Path(name).is_dir()
                else f"{name}: no such file, folder or pattern"
            )
        found.update(dict.fromkeys(pictures))
    return list(found), problems


def _expand(name: str) -> list[Path]:
    path = Path(name)
    if path.is_file():
        return [path]
    if path.is_dir():
        candidates = list(path.iterdir())
    else:
        candidates = [Path(match) for match in glob.glob(name, recursive=True)]  # noqa: PTH207
    pictures = [p for p in sorted(candidates) if p.is_file() and p.suffix.lower() in SUFFIXES]
    return [picture for picture in pictures if not _is_output(picture)]


def _is_output(picture: Path) -> bool:
    for ending in OUTPUT_ENDINGS:
        original = picture.stem.removesuffix(ending)
        if original != picture.stem:
            siblings = picture.parent.glob(f"{glob.escape(original)}.*")
            return any(sibling.suffix.lower() in SUFFIXES for sibling in siblings)
    return False


def read_picture(path: Path) -> UInt8:
    """Read a picture as `read_image` does, without OpenCV's own lines about a damaged one.

    Raises:
        DataError: the file is missing, damaged or no picture.
    """
    level = _set_opencv_log_level(_SILENT)
    try:
        return read_image(path)
    finally:
        _set_opencv_log_level(level)


def _set_opencv_log_level(level: int) -> int:
    """Set how much OpenCV writes to stderr; return what it was. Version 5 moved the function."""
    module: Any = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging
    return int(module.setLogLevel(level))


def write_picture(path: Path, image: UInt8 | UInt16) -> None:
    """Write a PNG, whole or not at all: uint8 BGR [H, W, 3], uint8 or uint16 grey [H, W].

    Raises:
        DataError: the place can't be written to.
    """
    _, encoded = cv2.imencode(".png", image)
    write_whole(path, encoded.tobytes())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, and its folder where it is missing; a broken-off write leaves no half file.

    Raises:
        DataError: the place can't be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole_file(path, lambda file: file.write(content))
    except OSError as error:
        raise DataError(f"can't write {path}: {error.strerror}") from error
