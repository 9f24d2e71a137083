"""The door for people: ``rtseg COMMAND …``. One file beside this one = one command."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rtseg import __version__
from rtseg.cli._missing import missing
from rtseg.errors import RtsegError, closest


class Command(NamedTuple):
    """One line of the table of commands.

    Args:
        name: what people type; the module beside this one of that name has
            `add_parser(subparsers)`, and the parser's default `run(arguments) -> int` does it.
        help: what it does, the line of ``rtseg --help``; the module's parser says the same.
    """

    name: str
    help: str


COMMANDS = (
    Command("stream", "segment a camera or video, live or recorded"),
    Command("segment", "label single pictures"),
    Command("train", "train a network as a YAML file says"),
    Command("evaluate", "measure trained weights on a labelled data set"),
    Command("compare", "train networks under one budget and compare them"),
    Command("networks", "list the networks and the trained weights"),
    Command("dataset", "check a data set and show what is in it"),
    Command("export", "build an engine from trained weights, and prove it"),
    Command("engines", "list, check and remove built engines"),
    Command("selftest", "run an engine and compare with its manifest"),
    Command("benchmark", "measure the stream, its stages and its bound on this machine"),
    Command("soak", "run for long, and see whether memory, threads or open files grow"),
    Command("doctor", "say what works on this machine, and what to do about the rest"),
)
"""A command's module is imported when the command is asked for, and no sooner: with all of them
come torch and seconds of waiting, and a device that only streams has no part of training."""


LOG_JSON = "--log-json"
"""A flag of the commands that may run as a service; errors of any kind heed it, so it counts before
the command's own parser sees it."""


def build_parser(command: str | None = None, as_json: bool = False) -> argparse.ArgumentParser:
    """Return the parser of the command line.

    Args:
        command: the one command whose own arguments it must know; the others are only listed.
        as_json: what is wrong with the arguments is told as a line of JSON.
    """
    kind = argparse.ArgumentParser
    if as_json:
        from rtseg.cli._json_log import JsonParser

        kind = JsonParser
    parser = kind(
        prog="rtseg",
        usage="%(prog)s [-h] [--version] COMMAND ...",
        description="Real-time semantic segmentation of driving scenes.",
        epilog="'rtseg COMMAND --help' tells a command's arguments; 'rtseg stream demo' shows "
        "something at once.",
    )
    parser.add_argument("--version", action="version", version=f"rtseg {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND ...", prog="rtseg")
    for each in COMMANDS:
        if each.name == command:
            importlib.import_module(f"{__name__}.{each.name}").add_parser(subparsers)
        else:
            subparsers.add_parser(each.name, help=each.help)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    0 is success, 1 a failed check (a comparison below its threshold) or a fault of the program, 2
    bad input or a part that failed, told in one line; 130 Ctrl-C. Set RTSEG_TRACEBACK=1 to see
    where an error came from.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    as_json = LOG_JSON in argv
    if as_json:
        from rtseg.cli._json_log import log_as_json

        log_as_json()
    else:
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        return _run(argv, as_json)
    except KeyboardInterrupt:
        _tell("interrupted", 130, as_json)
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        line = _line(error)
        if line is not None and not os.environ.get("RTSEG_TRACEBACK"):
            _tell(line, 2, as_json)
            return 2
        if not as_json:
            raise
        _tell(line or f"{type(error).__name__}: {error}", 1, as_json, error)
        return 1


def _tell(line: str, status: int, as_json: bool, error: Exception | None = None) -> None:
    if as_json:
        from rtseg.cli._json_log import log_failure

        log_failure(line, status, error)
    else:
        sys.stderr.write(f"rtseg: {line}\n")


def _run(argv: Sequence[str], as_json: bool = False) -> int:
    # The options before a command take no values, so the first word is the command.
    command = next((word for word in argv if not word.startswith("-")), None)
    parser = build_parser(command, as_json)
    if command is not None and command not in {each.name for each in COMMANDS}:
        parser.error(_unknown(command))
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 0
    status: int = arguments.run(arguments)
    return status


def _unknown(word: str) -> str:
    names = [each.name for each in COMMANDS]
    if Path(word).exists() or "://" in word:
        return f"a command comes first: 'rtseg stream SOURCE'; got {word!r}"
    return f"unknown command {word!r}.{closest(word, names)} Commands: {', '.join(names)}"


def _line(error: Exception) -> str | None:
    """Return what people are told of an error; None for one that is a fault of the program."""
    if isinstance(error, RtsegError):
        return " ".join(str(error).split())
    if isinstance(error, ImportError):
        return missing(error)
    torch = sys.modules.get("torch")  # its errors can only come from where it was imported
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return (
            f"out of device memory ({str(error).splitlines()[0]}); take a smaller batch, crop or "
            "size, or --device cpu"
        )
    return None
