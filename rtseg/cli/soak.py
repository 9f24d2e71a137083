"""``rtseg soak``: a long run, and what the process holds at its end that it didn't at first."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rtseg.cli._stream_flags import add_config_flags, add_flags, read_config

if TYPE_CHECKING:
    from rich.console import Console

    from rtseg.bench.soak import Sample, SoakReport
    from rtseg.stream.settings import StreamConfig

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

DESCRIPTION = """\
Runs sources at full speed for a long time and watches this process: memory, threads, open files.
Then the last tenth is compared with the first one after the warm-up. The flags are those of
`rtseg stream`; two endless demo drives run unless sources are named, and go nowhere unless an
output is.

    rtseg soak --minutes 60 --json soak.json
    rtseg soak rtsp://camera/1 -o drive.mkv --segment 60 --keep 2GB --minutes 600 --limit 1
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command ``soak``."""
    parser = subparsers.add_parser(
        "soak",
        help="run for long, and see whether memory, threads or open files grow",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_flags(parser)
    group = parser.add_argument_group("watch")
    group.add_argument("--minutes", type=_positive, default=60.0, help="how long (default: 60)")
    group.add_argument(
        "--warm-up", type=_positive, metavar="MINUTES", help="what doesn't count (default: 1/12)"
    )
    group.add_argument(
        "--every", type=_positive, default=10.0, metavar="SECONDS", help="a sample (default: 10)"
    )
    group.add_argument("--json", type=Path, metavar="FILE", help="every sample and the figures")
    group.add_argument(
        "--limit",
        type=_positive,
        metavar="PERCENT",
        help="end with status 1 where memory of this process alone (own), threads or open files "
        "grew by more",
    )
    add_config_flags(group)
    group.add_argument("-q", "--quiet", action="store_true", help="no line for each sample")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run and report; 1 where something grew by more than the limit, 2 where a camera failed."""
    from rich.console import Console

    from rtseg.api import open_engine
    from rtseg.bench.soak import soak

    config = _config(arguments)
    console = Console(stderr=True, quiet=arguments.quiet)
    run_s = 60 * arguments.minutes
    report = soak(
        config,
        open_engine,
        run_s,
        warm_up_s=60 * arguments.warm_up if arguments.warm_up else run_s / 12,
        every_s=arguments.every,
        on_sample=lambda sample: console.print(_line(sample), highlight=False),
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(report.to_dict(), indent=1) + "\n")
    _print(Console(), report)
    for name, failure in report.failures.items():
        sys.stderr.write(f"rtseg: {name}: {failure}\n")
    if report.failures:
        return 2
    return int(arguments.limit is not None and _worst(report) > arguments.limit / 100)


def _config(arguments: argparse.Namespace) -> StreamConfig:
    """Return the run that the arguments ask for; two endless demo drives where they say nothing."""
    if not arguments.config and not getattr(arguments, "source", None):
        arguments.source = ["demo", "demo:1"]
        vars(arguments).setdefault("source.loop", True)
    if not arguments.config:
        vars(arguments).setdefault("outputs", ["null"])
        vars(arguments).setdefault("engine.build", "never")
    config = read_config(arguments)
    if config.cameras:
        return config
    camera = {**config.source.model_dump(), "name": None}
    return type(config).model_validate({**config.model_dump(), "cameras": [camera]})


def _line(sample: Sample) -> str:
    return (
        f"{sample.at_s:6.0f} s  own {sample.own_mb:.1f} MB  RSS {sample.rss_mb:.1f} MB  "
        f"{sample.threads} threads  {sample.handles} open files  {sample.pictures} pictures"
    )


def _worst(report: SoakReport) -> float:
    return max(g.share for name, g in report.growths.items() if name != "rss_mb")


def _print(console: Console, report: SoakReport) -> None:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("", "first tenth", "last tenth", "growth"):
        table.add_column(title, justify="right" if title else "left")
    titles = {"own_mb": "own MB", "rss_mb": "RSS MB", "threads": "threads", "handles": "open files"}
    for name, growth in report.growths.items():
        values = f"{growth.first:.1f}", f"{growth.last:.1f}", f"{100 * growth.share:+.2f} %"
        table.add_row(titles[name], *values)
    console.print(table)
    samples = report.samples
    console.print(
        f"{samples[-1].pictures} pictures in {samples[-1].at_s / 60:.1f} min, {report.fps:.1f} a "
        f"second; the first {report.warm_up_s / 60:.1f} min are left out",
        highlight=False,
    )


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return value
