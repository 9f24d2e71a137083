"""``rtseg doctor``: what works on this machine, and what to do about the rest."""

from __future__ import annotations

import argparse
import json
import sys
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from rtseg.cli._doctor.finding import Finding
from rtseg.cli._doctor.probe import PROBES, Examination, Probe

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

PIPED_WIDTH = 100
"""Columns of text where the output is no terminal."""
STYLES = {"ok": "green", "warn": "yellow", "missing": "dim"}
BROKEN_STYLE = "bold red"

DESCRIPTION = """\
Looks at the software, the processor, GPUs, video encoders, the display, cameras and rtseg's own
files. Each line says ok, warn or missing, and what to do. The exit status is 1 if something is
broken that nothing works without, else 0.
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command ``doctor``."""
    parser = subparsers.add_parser(
        "doctor",
        help="say what works on this machine, and what to do about the rest",
        description=DESCRIPTION,
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a page")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Look at everything and print the page."""
    found = _examine()
    broken = [finding for _, finding in found if finding.broken]
    if arguments.json:
        lines = [{"group": group, **finding.as_json()} for group, finding in found]
        document = {"ok": not broken, "findings": lines}
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    else:
        _print(found)
    return 1 if broken else 0


def _examine() -> list[tuple[str, Finding]]:
    """Run all probes; a terminal shows which of them are still at work."""
    waiting = {probe.title: None for probe in PROBES}
    lock = threading.Lock()
    status = _status()

    def finished(probe: Probe) -> None:
        with lock:
            waiting.pop(probe.title, None)
            if status is not None:
                status.update(f"looking at {', '.join(list(waiting)[:4])}")

    with status or nullcontext():
        return Examination(PROBES, finished).run()


def _status() -> Any:
    try:
        from rich.console import Console
    except ImportError:  # then the page says so
        return None
    console = Console(stderr=True)
    return console.status("looking at this machine") if console.is_terminal else None


def _print(found: list[tuple[str, Finding]]) -> None:
    try:
        from rich.console import Console
        from rich.text import Text
    except ImportError:
        _print_plain(found)
        return
    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)
    console.print(*_pages(found), Text(verdict(found), style="bold"), sep="\n")


def _pages(found: list[tuple[str, Finding]]) -> list[Any]:
    """Return a heading and a table for each group."""
    from rich.table import Table
    from rich.text import Text

    pages: list[Any] = []
    width = max((len(finding.title) for _, finding in found), default=0)
    for group in dict.fromkeys(group for group, _ in found):
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(width=len("missing"), no_wrap=True)
        table.add_column(width=min(width, 20), overflow="fold")
        table.add_column(overflow="fold")
        for finding in (finding for each, finding in found if each == group):
            style = BROKEN_STYLE if finding.broken else STYLES[finding.status]
            text = Text(printable(finding.value))
            if finding.advice:
                text.append(f"\n→ {printable(finding.advice)}", style="cyan")
            table.add_row(Text(finding.status, style), Text(finding.title), text)
        pages += [Text(group, style="bold"), table, ""]
    return pages


def _print_plain(found: list[tuple[str, Finding]]) -> None:
    for group, finding in found:
        advice = f" -> {printable(finding.advice)}" if finding.advice else ""
        line = f"{finding.status:<8} {group}: {finding.title}: {printable(finding.value)}{advice}"
        sys.stdout.write(line + "\n")
    sys.stdout.write(verdict(found) + "\n")


def verdict(found: list[tuple[str, Finding]]) -> str:
    """Return the last line of the page."""
    broken = [finding.title for _, finding in found if finding.broken]
    if broken:
        return f"broken, and nothing works without: {', '.join(broken)}"
    warnings = sum(finding.status == "warn" for _, finding in found)
    rest = {0: "no warnings", 1: "1 warning above"}.get(warnings, f"{warnings} warnings above")
    return f"rtseg works here: {rest}"


def printable(text: str) -> str:
    """Keep what a device calls itself from steering the terminal."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
