"""``rtseg evaluate``: how good trained weights are on a labelled data set."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rtseg.cli._prediction import add_prediction_arguments, positive_argument, size_argument

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

DESCRIPTION = """\
Labels every picture of a data set at its own size and compares with the truth. Pixels whose truth
is void are ignored. All figures are in percent; those in the JSON file are shares of 1.
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command ``evaluate``."""
    parser = subparsers.add_parser(
        "evaluate", help="measure trained weights on a labelled data set", description=DESCRIPTION
    )
    add_prediction_arguments(parser, precision="fp32")
    _add_data_arguments(parser)
    parser.add_argument("--batch-size", type=positive_argument, default=4, metavar="N")
    parser.add_argument(
        "--resize",
        type=size_argument,
        metavar="HxW",
        help="bring pictures to this size for the network; the comparison stays at their own",
    )
    parser.add_argument(
        "--boundary", action="store_true", help="also the F score of the class boundaries"
    )
    parser.add_argument(
        "--video",
        action="store_true",
        help="the pictures are one film in order: also how steady the labels are over time",
    )
    parser.add_argument(
        "--instances",
        nargs="?",
        const="auto",
        choices=("auto", "components", "energy", "border"),
        metavar="HOW",
        help="also how well single objects are found: AP and PQ, on data that knows objects; HOW: "
        "by the network's own maps (energy, border) or as connected parts of a class (components); "
        "auto: its own, if it has some",
    )
    _add_crf_arguments(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything here")
    parser.add_argument(
        "--pictures",
        type=Path,
        metavar="FOLDER",
        help="also write picture, truth, prediction and errors of the worst, median and best here",
    )
    parser.set_defaults(run=run)


def _add_crf_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--crf",
        "--dense-crf",
        action="store_true",
        help="measure twice: without and with a dense CRF behind the network",
    )
    parser.add_argument(
        "--crf-set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of the dense CRF, such as smoothness_weight=3; may be given several times",
    )


def _add_data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="YAML",
        help="the data set, such as configs/datasets/camvid.yaml",
    )
    parser.add_argument("--split", default="val", help='"a+b" joins two (default: %(default)s)')
    for name, effect in (("include", "only"), ("exclude", "without the")):
        parser.add_argument(
            f"--{name}",
            nargs="+",
            default=[],
            metavar="PATTERN",
            help=f'{effect} pictures whose name fits, such as "0016E5*"',
        )
    parser.add_argument(
        "--limit", type=positive_argument, metavar="N", help="only N pictures, evenly spread"
    )


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, show the table, and write what was asked for."""
    from rtseg.cli import _evaluation

    return _evaluation.run(arguments)
