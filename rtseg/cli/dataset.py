"""``rtseg dataset``: check a data set and look at it before a training does."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

DESCRIPTION = """\
Reads every picture and mask of a split, and says how many there are, of which sizes, how the
classes are shared out, and which files can't be used. The exit status is 2 if there is any.
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command ``dataset``."""
    parser = subparsers.add_parser(
        "dataset", help="check a data set and show what is in it", description=DESCRIPTION
    )
    parser.add_argument(
        "config",
        type=Path,
        metavar="CONFIG",
        help="the data set's YAML file, such as configs/datasets/camvid.yaml",
    )
    parser.add_argument("--split", default="train", help='"a+b" joins two (default: %(default)s)')
    parser.add_argument(
        "--root",
        type=Path,
        metavar="FOLDER",
        help="the data set's folder, instead of the file's root",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=_png,
        metavar="SHEET.png",
        help="also draw a dozen pictures with their labels, evenly spread, and a legend",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def _png(text: str) -> Path:
    if Path(text).suffix.lower() != ".png":
        raise argparse.ArgumentTypeError(f"{text!r} must end in .png")
    return Path(text)


def run(arguments: argparse.Namespace) -> int:
    """Check the data set, show what was found, and draw the sheet."""
    from rtseg.cli import _dataset_pages

    return _dataset_pages.run(arguments)
