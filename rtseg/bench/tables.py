"""The tables of a benchmark, for a terminal and for a README."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from rtseg.bench.bound import bound_fps, share_of_bound
from rtseg.bench.job import Parts
from rtseg.bench.report import CaseReport, Report
from rtseg.bench.spread import Spread

ABSENT = "-"


@dataclass(frozen=True, slots=True)
class Grid:
    """A table without a medium: the first column is text, the others are figures."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def rich(self) -> Table:
        """Return it for a terminal."""
        table = Table(box=SIMPLE_HEAD, title=self.title, title_justify="left", pad_edge=False)
        table.add_column(self.columns[0], overflow="fold", min_width=18)
        for column in self.columns[1:]:
            table.add_column(column, justify="right")
        for row in self.rows:
            table.add_row(*map(Text, row))
        return table

    def markdown(self) -> str:
        """Return it for a README."""
        alignment = ["---", *["---:"] * (len(self.columns) - 1)]
        lines = [self.columns, alignment, *self.rows]
        return f"**{self.title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def heading(report: Report) -> list[str]:
    """Return lines about the machine and the circumstances."""
    machine = report.machine
    gpu = f", {machine.gpu}" if machine.gpu else ""
    rates = ", ".join(f"{rate:.0f} GFLOP/s {name}" for name, rate in machine.gflops.items())
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    load = "unknown" if report.load is None else f"{report.load:.2f}"
    lines = [
        f"{machine.processor}, {machine.cores} cores, {machine.memory_gib:.0f} GiB{gpu}",
        f"{machine.rates_of}: {rates}, {machine.copy_gb_s:.0f} GB/s copied",
        versions,
        f"{report.source}, at most {report.frames} frames, median of {report.repetitions} "
        f"repetitions (least-greatest), load before {load}, {report.date}",
    ]
    if report.busy:
        lines.append("WARNING: other programs were at work; ratios hold, absolute figures don't")
    return lines


def grids(report: Report) -> list[Grid]:
    """Return all tables that there is something to say in."""
    measured = [case for case in report.cases if case.measured]
    found = [_parts_grid(case.parts) for case in report.cases if case.parts is not None]
    if not measured:
        return found
    return [throughput(measured), latency(measured), *found]


def throughput(cases: Sequence[CaseReport]) -> Grid:
    """Return the rates of stream, loop and bound."""
    rows = [
        (
            case.title,
            case.of_streams(lambda run: run.fps).text(),
            _text(case.of_naives(lambda run: run.fps)),
            _text(case.speedup(), 2),
            case.of_streams(bound_fps).text(),
            case.of_streams(share_of_bound).text(2),
            case.of_streams(lambda run: run.cpu_ms).text(),
            _text(case.of_naives(lambda run: run.cpu_ms)),
        )
        for case in cases
    ]
    columns = (
        "engine", "frames/s", "naive loop", "times naive", "bound", "of bound", "CPU ms",
        "naive CPU ms",
    )  # fmt: skip
    return Grid("Throughput, from file to labelled file", columns, tuple(rows))


def latency(cases: Sequence[CaseReport]) -> Grid:
    """Return the ages of frames, memory and start-up."""
    rows = []
    for case in cases:
        ages = [run.age for run in case.streams if run.age is not None]
        percentiles = [
            Spread.of([getattr(age, name) for age in ages]).text(0) if ages else ABSENT
            for name in ("p50", "p90", "p99", "max")
        ]
        first_s = case.of_streams(lambda run: run.first_picture_s).text()
        built_s = ABSENT if case.build_s is None else f"{case.build_s:.0f}"
        opened_s = case.of_streams(lambda run: run.open_s).text()
        memory = case.of_streams(lambda run: run.peak_mib).text(0)
        naive_memory = _text(case.of_naives(lambda run: run.peak_mib), 0)
        row = (case.title, *percentiles, memory, naive_memory, first_s, built_s, opened_s)
        rows.append(row)
    columns = (
        "engine", "age ms p50", "p90", "p99", "max", "peak MiB", "naive MiB", "first picture s",
        "build s", "open s",
    )  # fmt: skip
    return Grid("Frame age (unclipped), memory, start-up", columns, tuple(rows))


def _parts_grid(parts: Parts) -> Grid:
    total_ms = sum(part.cpu_ms for part in parts.parts if part.on_the_way)
    rows = [
        (
            part.name,
            f"{part.wall_ms:.2f}",
            f"{part.least_ms:.2f}",
            f"{part.cpu_ms:.2f}",
            f"{100 * part.cpu_ms / total_ms:.0f} %" if part.on_the_way else ABSENT,
        )
        for part in parts.parts
    ]
    rows.append(("sum of the way", "", "", f"{total_ms:.2f}", "100 %"))
    width, height = parts.source_wh
    title = f"Each stage alone: {parts.engine}, frames {width}x{height}"
    columns = ("stage", "wall ms p50", "least", "CPU ms mean", "of the way")
    return Grid(title, columns, tuple(rows))


def _text(spread: Spread | None, digits: int = 1) -> str:
    return ABSENT if spread is None else spread.text(digits)
