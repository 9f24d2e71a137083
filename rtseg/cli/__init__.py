"""The door for people: ``rtseg COMMAND …``. One file beside this one = one command."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

import torch

from rtseg import __version__
from rtseg.cli import dataset, evaluate, networks, segment, train
from rtseg.errors import RtsegError

COMMANDS = (train, evaluate, segment, networks, dataset)
"""Modules with `add_parser(subparsers)`; the parser's default `run(arguments) -> int` does it."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="rtseg", description="Real-time semantic segmentation of driving scenes."
    )
    parser.add_argument("--version", action="version", version=f"rtseg {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    0 is success, 1 a failed check (a comparison below its threshold), 2 bad input, 130 Ctrl-C.
    Set RTSEG_TRACEBACK=1 to see where an error came from.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    arguments = build_parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
        return status
    except RtsegError as error:
        if os.environ.get("RTSEG_TRACEBACK"):
            raise
        sys.stderr.write(f"rtseg: {' '.join(str(error).split())}\n")
        return 2
    except torch.OutOfMemoryError as error:
        sys.stderr.write(
            f"rtseg: out of device memory ({str(error).splitlines()[0]}); take a smaller batch "
            "or crop, or --device cpu\n"
        )
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("rtseg: interrupted\n")
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
