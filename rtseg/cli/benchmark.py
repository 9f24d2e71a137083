"""``rtseg benchmark``: how fast the stream is here, what it costs, how fast it could be."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from rtseg.cli._engine_arguments import wh_argument
from rtseg.errors import ConfigError, DataError, RtsegError

if TYPE_CHECKING:
    from rtseg.bench.job import Case
    from rtseg.bench.report import Report

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

PIPED_WIDTH = 120
"""Columns of text where the output is no terminal."""
REQUIREMENTS = ("speedup", "bound", "fps")

DESCRIPTION = """\
Labels a video as `rtseg stream VIDEO -o FILE.mp4` does, from the file to the finished file, again
and again; beside it a naive loop (OpenCV reads, the same engine segments, numpy colours, OpenCV
writes), and each stage alone. Every run is a process of its own, and the runs of all engines take
turns, so that a noisy machine is fair to them. Figures are medians of the repetitions, with the
least and the greatest; ratios are taken within each repetition.

    rtseg benchmark                                          the demo drive, the default engine
    rtseg benchmark dash.mp4 --model linknet-camvid icnet-camvid --size 512x288
    rtseg benchmark dash.mp4 --backend eager inductor openvino --precision fp32 int8
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command ``benchmark``."""
    parser = subparsers.add_parser(
        "benchmark",
        help="measure the stream, its stages and its bound on this machine",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "source",
        nargs="?",
        type=Path,
        metavar="VIDEO",
        help="a video file (default: a clip of the demo drive, 960x540)",
    )
    _add_case_arguments(parser)
    _add_run_arguments(parser)
    _add_output_arguments(parser)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def _add_case_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("engines: every combination of these is measured")
    group.add_argument("--model", nargs="+", metavar="NAME", help="weights; files are fine")
    group.add_argument(
        "--size", nargs="+", type=wh_argument, default=[None], metavar="WxH", help="engine inputs"
    )
    group.add_argument("--backend", nargs="+", default=["auto"], metavar="NAME")
    group.add_argument("--precision", nargs="+", default=["auto"], metavar="NAME")
    group.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    group.add_argument("--engines", type=Path, metavar="DIR", help="the folder of built engines")
    group.add_argument(
        "--build",
        action="store_true",
        help="build engines that are not there yet first; needs --size",
    )


def _add_run_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("runs")
    group.add_argument(
        "--frames",
        type=_positive,
        default=200,
        metavar="N",
        help="at most so many a run (default: %(default)s)",
    )
    group.add_argument(
        "--repeat", type=_positive, default=3, metavar="N", help="repetitions (default: 3)"
    )
    group.add_argument("--no-naive", action="store_true", help="leave out the naive loop")
    group.add_argument("--no-parts", action="store_true", help="leave out the stages alone")


def _add_output_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("results")
    group.add_argument("--json", type=Path, metavar="FILE", help="every run and all figures")
    group.add_argument("--chart", type=Path, metavar="FILE.png", help="rates and costs, drawn")
    group.add_argument("--markdown", action="store_true", help="print tables for a README")
    group.add_argument(
        "--require",
        nargs="+",
        type=_requirement,
        default=[],
        metavar="NAME=VALUE",
        help="end with status 1 where a median is less: speedup=1.15 (times the naive loop), "
        "bound=0.9 (share of the bound), fps=40",
    )


def run(arguments: argparse.Namespace) -> int:
    """Measure, and show what was found; 1 where a requirement is not met."""
    if arguments.worker:
        from rtseg.api import open_engine
        from rtseg.bench.worker import work

        return work(open_engine)
    if arguments.source is not None and not arguments.source.is_file():
        raise DataError(f"no such video file: {arguments.source}; a benchmark repeats a file")
    if arguments.no_naive and any(name == "speedup" for name, _ in arguments.require):
        raise ConfigError("--require speedup compares with the naive loop: leave out --no-naive")
    if arguments.build and None in arguments.size:
        raise ConfigError("--build needs the size of the engines: --size 512x288")
    _check_outputs(arguments)
    report = _measure(arguments)
    _show(report, arguments.markdown)
    _write(report, arguments)
    return _verdict(report, arguments.require)


def _check_outputs(arguments: argparse.Namespace) -> None:
    """Refuse before the minutes of measuring what would fail after them."""
    for path in (arguments.json, arguments.chart):
        if path is not None and not path.absolute().parent.is_dir():
            raise DataError(f"can't write {path}: the folder {path.parent} doesn't exist")
    if arguments.chart is not None:
        from rtseg.bench.chart import require_matplotlib

        require_matplotlib()


def cases(arguments: argparse.Namespace) -> list[Case]:
    """Return every combination that was asked for.

    Raises:
        ConfigError: an engine's setting is unknown.
    """
    from rtseg.bench.job import Case
    from rtseg.config import validate
    from rtseg.stream.settings import DEFAULT_MODEL

    combinations = product(
        arguments.model or [DEFAULT_MODEL], arguments.size, arguments.backend, arguments.precision
    )
    return [
        validate(
            Case,
            {
                "model": model,
                "engine": {
                    "backend": backend,
                    "precision": precision,
                    "size_wh": size,
                    "device": arguments.device,
                    "engines": arguments.engines,
                    # A build beside the runs, or a new engine in the middle of one, would tilt all.
                    "build": "never",
                },
            },
            "benchmark",
        )
        for model, size, backend, precision in combinations
    ]


def _measure(arguments: argparse.Namespace) -> Report:
    from rich.console import Console

    from rtseg.bench.benchmark import Benchmark, build_command, worker_command

    console = Console(stderr=True, highlight=False)

    def progress(what: str, number: int, count: int) -> None:
        console.print(f"{number}/{count} {what}", markup=False)

    with tempfile.TemporaryDirectory(prefix="rtseg-benchmark-") as folder:
        return Benchmark(
            cases(arguments),
            arguments.source and arguments.source.absolute(),
            arguments.frames,
            arguments.repeat,
            Path(folder),
            worker_command(),
            build=build_command if arguments.build else None,
            naive=not arguments.no_naive,
            parts=not arguments.no_parts,
            progress=progress,
        ).run()


def _show(report: Report, markdown: bool) -> None:
    from rich.console import Console

    from rtseg.bench.tables import grids, heading
    from rtseg.cli._engine_rates import rates_grid

    rates = rates_grid(report)
    found = [*grids(report), *([rates] if rates is not None else [])]
    if markdown:
        tables = [grid.markdown() for grid in found]
        sys.stdout.write("\n\n".join(["  \n".join(heading(report)), *tables]) + "\n")
        return
    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)
    for line in heading(report):
        console.print(line, markup=False, style="bold red" if "WARNING" in line else "dim")
    console.print(*(grid.rich() for grid in found), sep="\n")


def _write(report: Report, arguments: argparse.Namespace) -> None:
    if arguments.json is not None:
        text = json.dumps(report.to_dict(), indent=1, ensure_ascii=False) + "\n"
        try:
            arguments.json.write_text(text, encoding="utf-8")
        except OSError as error:
            raise DataError(f"can't write {arguments.json}: {error.strerror}") from error
    if arguments.chart is not None:
        from rtseg.bench.chart import write_chart

        write_chart(report, arguments.chart)


def _verdict(report: Report, requirements: list[tuple[str, float]]) -> int:
    """Say what failed; return 2 where nothing could be measured, 1 where a figure is too low."""
    problems = [case for case in report.cases if case.problem]
    for case in problems:
        sys.stderr.write(f"rtseg: left out: {case.case.title}: {case.problem}\n")
    if len(problems) == len(report.cases):
        raise RtsegError("nothing could be measured")
    status = 1 if problems and requirements else 0
    for case in report.cases:
        figures = case.figures()
        for name, least in requirements:
            key = "share_of_bound" if name == "bound" else name
            if key in figures and figures[key]["median"] < least:
                found = figures[key]["median"]
                sys.stderr.write(f"rtseg: {case.title}: {name} is {found:.3f}, below {least:g}\n")
                status = 1
    return status


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 1 or more")
    return int(text)


def _requirement(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        if name in REQUIREMENTS:
            return name, float(value)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(
        f"{text!r} is no NAME=VALUE with a NAME of {', '.join(REQUIREMENTS)}"
    )
