"""``rtseg compare``: train any set of networks under one budget, score them, time them."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rtseg.cli._prediction import positive_argument, size_argument
from rtseg.errors import ConfigError

if TYPE_CHECKING:
    from rtseg.cli._compare.contest import Contest
    from rtseg.cli._compare.result import Conditions

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

LIGHTEST, ALL = "lightest", "all"
PIPED_WIDTH = 140
"""Columns of text where the output is no terminal."""

DESCRIPTION = """\
Trains networks from drawn weights with one recipe and under one budget, measures them on pictures
that they haven't seen, and times them on this machine: one picture at a time, in turns, so that a
noisy machine is fair to them. Each training and each timing is a process of its own. What is
finished is kept: the same command goes on where it was interrupted, and tries again what failed.

    rtseg compare --data configs/datasets/camvid.yaml --budget 2cpumin
    rtseg compare --data configs/datasets/demo.yaml --budget 300it --networks linknet icnet 'unet*'
    rtseg compare --data configs/datasets/camvid.yaml --budget 30min --set optim.lr=5e-4
"""
EPILOG = """\
The folder gets comparison.md (the table), comparison.json, comparison.png (accuracy against
latency, parameters as the area), and the results and weights of each network in networks/.
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command ``compare``."""
    parser = subparsers.add_parser(
        "compare",
        help="train networks under one budget and compare them",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_conditions(parser)
    _add_recipe(parser)
    _add_output(parser)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def _add_conditions(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is compared")
    group.add_argument(
        "--data",
        type=Path,
        metavar="YAML",
        help="the data set, such as configs/datasets/camvid.yaml",
    )
    group.add_argument(
        "--budget",
        metavar="AMOUNT",
        help="of each training: steps (200it), minutes (5min), or minutes that the process itself "
        "computes (2cpumin), which are fair on a busy machine",
    )
    group.add_argument(
        "--networks",
        nargs="+",
        default=[LIGHTEST],
        metavar="NAME",
        help="names or patterns; all; or lightest: the lightest variant of every family (default)",
    )
    group.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")


def _add_recipe(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("conditions, the same for all")
    group.add_argument(
        "--config",
        type=Path,
        metavar="YAML",
        help="the recipe; by default configs/compare/NAME.yaml beside the data set's folder if "
        "there is one",
    )
    group.add_argument(
        "--set",
        dest="overrides",
        metavar="KEY.PATH=VALUE",
        action="append",
        default=[],
        help="change one value of the recipe; can be given again",
    )
    group.add_argument("--crop", type=size_argument, metavar="HxW", help="training crops")
    group.add_argument("--batch-size", type=positive_argument, metavar="N", help="crops a step")
    group.add_argument(
        "--eval-every", type=positive_argument, metavar="N", help="score one of N pictures"
    )
    group.add_argument(
        "--eval-size", type=size_argument, metavar="HxW", help="bring pictures to this size first"
    )
    group.add_argument(
        "--latency-size", type=size_argument, metavar="HxW", help="of the timed picture"
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("results")
    group.add_argument(
        "--output", type=Path, metavar="DIR", help="by default runs/compare-NAME-BUDGET"
    )
    group.add_argument("--no-weights", action="store_true", help="keep no trained weights")
    timing = group.add_mutually_exclusive_group()
    timing.add_argument("--no-timing", action="store_true", help="train and score only")
    timing.add_argument("--retime", action="store_true", help="forget timings, measure them again")
    group.add_argument("--markdown", action="store_true", help="print the table for a README")


def run(arguments: argparse.Namespace) -> int:
    """Compare, and show what was found; 1 where a network failed."""
    if arguments.worker:
        from rtseg.cli._compare.worker import work

        return work()
    if arguments.data is None or arguments.budget is None:
        raise ConfigError(
            "a comparison needs data and a budget, such as --data configs/datasets/camvid.yaml "
            "--budget 2cpumin"
        )
    from rtseg.cli._compare.contest import worker_command

    contest = open_contest(arguments, worker_command())
    previous = signal.signal(signal.SIGTERM, _end)
    try:
        contest.prepare()
        contest.train()
        if not arguments.no_timing:
            contest.time(again=arguments.retime)
    finally:
        signal.signal(signal.SIGTERM, previous)
    return report(contest, arguments.markdown)


def _end(number: int, frame: object) -> None:
    """Leave by an exception, which ends the process of the job that runs, too."""
    sys.exit(128 + number)


def open_contest(arguments: argparse.Namespace, command: tuple[str, ...]) -> Contest:
    """Return the contest that was asked for; nothing has run yet.

    Raises:
        RtsegError: a name, a file or a value can't be used.
    """
    from rich.console import Console

    from rtseg.cli._compare.chart import require_matplotlib
    from rtseg.cli._compare.contest import Contest
    from rtseg.device import pick_device

    require_matplotlib()
    pick_device(arguments.device)
    conditions = conditions_of(arguments)
    folder = f"compare-{arguments.data.stem}-{conditions.budget}"
    console = Console(stderr=True, highlight=False)
    return Contest(
        conditions,
        chosen_networks(arguments.networks),
        arguments.output or Path("runs") / folder,
        command,
        keep_weights=not arguments.no_weights,
        tell=lambda line: console.print(line, markup=False),
    )


def conditions_of(arguments: argparse.Namespace) -> Conditions:
    """Return the recipe with the flags in it.

    Raises:
        ConfigError: a file or a value can't be used.
    """
    from rtseg.cli._compare.result import Conditions
    from rtseg.config import apply_overrides, load_yaml, set_keys, validate
    from rtseg.training.budget import Budget
    from rtseg.training.comparison import ComparisonConfig

    budget = Budget.parse(arguments.budget)
    path = arguments.config or _recipe_beside(arguments.data)
    values = apply_overrides(load_yaml(path) if path else {}, arguments.overrides)
    flags = {
        "crop_hw": arguments.crop,
        "batch_size": arguments.batch_size,
        "scoring.every": arguments.eval_every,
        "scoring.input_hw": arguments.eval_size,
        "latency.input_hw": arguments.latency_size,
    }
    values = set_keys(values, {key: value for key, value in flags.items() if value is not None})
    recipe = validate(ComparisonConfig, values, str(path or "the recipe"))
    return Conditions(
        data=arguments.data, budget=str(budget), device=arguments.device, recipe=recipe
    )


def _recipe_beside(data: Path) -> Path | None:
    """Return configs/compare/NAME.yaml for configs/datasets/NAME.yaml, if it is there."""
    path = data.absolute().parent.parent / "compare" / data.name
    return path if path.is_file() else None


def chosen_networks(words: list[str]) -> list[str]:
    """Return the registered names that words stand for: names, patterns, "all", "lightest".

    Raises:
        UnknownNameError: no network has that name.
        ConfigError: no network fits a pattern.
    """
    from fnmatch import fnmatchcase

    from rtseg.networks import NETWORKS
    from rtseg.networks.families import lightest_of_each_family

    chosen: list[str] = []
    for word in words:
        if word in (ALL, LIGHTEST) and word not in NETWORKS:
            chosen += list(NETWORKS) if word == ALL else lightest_of_each_family()
        elif any(sign in word for sign in "*?["):
            fitting = [name for name in NETWORKS if fnmatchcase(name, word)]
            if not fitting:
                raise ConfigError(
                    f"no network fits the pattern {word!r}; 'rtseg networks' lists them"
                )
            chosen += fitting
        else:
            NETWORKS[word]  # names the closest one, if it is unknown
            chosen.append(word)
    return list(dict.fromkeys(chosen))


def report(contest: Contest, as_markdown: bool) -> int:
    """Write and show what was found; return 1 where a network failed."""
    from rich.console import Console

    from rtseg.cli._compare.chart import write_chart
    from rtseg.cli._compare.report import (
        comparison_of,
        heading,
        markdown,
        problem_lines,
        table,
        write_documents,
    )

    comparison = comparison_of(contest.conditions, contest.results())
    write_documents(comparison, contest.folder)
    write_chart(comparison, contest.folder / "comparison.png")
    if as_markdown:
        sys.stdout.write(markdown(comparison))
    else:
        console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)
        for line in heading(comparison):
            console.print(line, markup=False, style="dim")
        console.print(table(comparison).rich())
    problems = problem_lines(comparison)
    for line in problems:
        sys.stderr.write(f"rtseg: {line}\n")
    return 1 if problems else 0
