"""``rtseg engines``: which engines there are, whether they work here, and away with them."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from rtseg.cli._engine_arguments import add_engines_argument, engine_path

if TYPE_CHECKING:
    from rich.table import Table

    from rtseg.backends.engine_folder import BrokenFolder, EngineFolder

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

PIPED_WIDTH = 180
"""Columns of text where the output is no terminal."""

DESCRIPTION = """\
Lists the engines that were built. --check compares every file with its manifest and every manifest
with this machine, and ends with status 1 where an engine can't be used here.
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command ``engines``."""
    parser = subparsers.add_parser(
        "engines", help="list, check and remove built engines", description=DESCRIPTION
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="compare files and machine")
    what.add_argument(
        "--remove", nargs="+", default=[], metavar="NAME", help="delete these, broken or not"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add_engines_argument(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """List, check or remove; 1 where a check failed."""
    from rtseg.backends.engine_folder import engines_root, list_engines, remove_engine

    if arguments.remove:
        paths = [engine_path(name, arguments.engines) for name in arguments.remove]
        for path in paths:
            remove_engine(path)
            sys.stdout.write(f"removed {path}\n")
        return 0
    root = engines_root(arguments.engines)
    engines = list_engines(root)
    states = [state(each, arguments.check) for each in engines]
    if arguments.json:
        rows = [_as_json(each, said) for each, said in zip(engines, states, strict=True)]
        sys.stdout.write(json.dumps({"folder": str(root), "engines": rows}, indent=2) + "\n")
    elif not engines:
        sys.stdout.write(f"no engines in {root}; 'rtseg export WEIGHTS' builds one\n")
    else:
        _show(_table(engines, states), f"{len(engines)} in {root}")
    return 1 if arguments.check and any(said != "ok" for said in states) else 0


def state(engine: EngineFolder | BrokenFolder, check: bool) -> str:
    """Return "ok", or what is wrong with an engine; without `check` only what is seen at once."""
    from rtseg.backends import BACKENDS, BrokenFolder
    from rtseg.backends.load import built_for
    from rtseg.errors import RtsegError

    if isinstance(engine, BrokenFolder):
        return f"broken: {engine.reason}"
    if not check:
        return "" if engine.manifest.parity else "not compared"
    try:
        engine.check_files()
        backend = BACKENDS[engine.manifest.spec.backend]
        device = built_for(engine)
        backend.require(device)
        backend.check(engine, device)
    except RtsegError as error:
        return " ".join(str(error).split())
    return "ok"


def _table(engines: list[EngineFolder | BrokenFolder], states: list[str]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from rtseg.backends import BrokenFolder

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("engine", no_wrap=True)
    for name in ("agrees, %", "ms", "MB"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("built", no_wrap=True)
    table.add_column("for", overflow="fold")
    table.add_column("state", overflow="fold")
    for engine, said in zip(engines, states, strict=True):
        if isinstance(engine, BrokenFolder):
            table.add_row(engine.path.name, "", "", "", "", "", said)
            continue
        manifest = engine.manifest
        parity, latency = manifest.parity, manifest.latency
        table.add_row(
            engine.path.name,
            f"{100 * parity.pixel_agreement:.3f}" if parity else "",
            f"{latency.p50_ms:.1f}" if latency else "",
            f"{engine.size_bytes() / 1e6:.1f}",
            manifest.built_at[:10],
            manifest.spec.machine.device_name,
            said,
        )
    return table


def _show(table: Table, footnote: str) -> None:
    from rich.console import Console

    width = None if sys.stdout.isatty() else PIPED_WIDTH
    console = Console(width=width, highlight=False, markup=False, soft_wrap=True)
    console.print(table)
    console.print(footnote)


def _as_json(engine: EngineFolder | BrokenFolder, said: str) -> dict[str, Any]:
    from rtseg.backends import BrokenFolder

    if isinstance(engine, BrokenFolder):
        return {"name": engine.path.name, "state": said}
    return {
        "name": engine.path.name,
        "state": said,
        "size_bytes": engine.size_bytes(),
        "manifest": engine.manifest.model_dump(mode="json"),
    }
