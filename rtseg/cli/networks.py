"""``rtseg networks``: which networks there are, what they cost, and which are trained."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

DESCRIPTION = """\
Without NAME: a table of every network. With the NAME of a network or of weights, or the path of a
weights file: everything that its card says.
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command ``networks``."""
    parser = subparsers.add_parser(
        "networks", help="list the networks and the trained weights", description=DESCRIPTION
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="a network, weights or a file")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the table or one card."""
    from rtseg.cli import _network_pages

    return _network_pages.run(arguments)
