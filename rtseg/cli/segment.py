"""``rtseg segment``: label single pictures with trained weights."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from rtseg.cli._prediction import add_prediction_arguments

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

DESCRIPTION = """\
Labels pictures and writes NAME_labelled.png for each: the picture with its classes laid over it
and a legend with each class's share of the pixels. With --masks also NAME_mask.png, the class ids
as 8-bit grey. With --instances a line runs around each car, person, …, and --masks also writes
NAME_objects.png, the number of each pixel's object as 16-bit grey, 0 for none.

A network knows streets at about the size that it was trained at. So a picture of any other size is
brought to about that many pixels for labelling, with its proportions kept, and the result is
brought back to the picture's own size. --native labels at the picture's own size instead: finer
where the camera sees far, often worse on large pictures, and slower.
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command ``segment``."""
    parser = subparsers.add_parser(
        "segment",
        help="label single pictures",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_prediction_arguments(parser, precision="auto")
    parser.add_argument(
        "pictures", nargs="+", metavar="PICTURE", help="files, folders, or quoted patterns"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("labelled"),
        metavar="FOLDER",
        help="where the results go (default: %(default)s)",
    )
    parser.add_argument("--masks", action="store_true", help="also write NAME_mask.png")
    parser.add_argument(
        "--instances",
        nargs="?",
        const="auto",
        choices=("auto", "components", "energy", "border"),
        metavar="HOW",
        help="also find single objects: by the network's own maps (energy, border) or as connected "
        "parts of a class (components); auto: its own, if it has some. Stands behind the pictures",
    )
    parser.add_argument(
        "--alpha",
        type=_share_argument,
        default=0.5,
        metavar="0…1",
        help="how strong the colours are laid over the picture (default: %(default)s)",
    )
    parser.add_argument("--native", action="store_true", help="label at the picture's own size")
    parser.add_argument("--overwrite", action="store_true", help="replace results that exist")
    parser.set_defaults(run=run)


def _share_argument(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return value


def run(arguments: argparse.Namespace) -> int:
    """Label all pictures that can be; return 2 if one could not, else 0."""
    from rtseg.cli import _segmentation

    return _segmentation.run(arguments)
