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
        table.add_column(self.columns[0], overflow="fold")
        for column in self.columns[1:]:
            table.add_column(column, justify="right", overflow="fold")
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
        f"{report.source}, at most {report.frames} frames, load before {load}, {report.date}",
        f"median of {report.repetitions} repetitions (least-greatest)",
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
    return [throughput(measured), ages(measured), start_up(measured), *found]


def throughput(cases: Sequence[CaseReport]) -> Grid:
    """Return the rates of stream, loop and bound."""
    rows = [
        (
            case.title,
            case.of_streams(lambda run: run.fps).text(),
            _text(case.of_naives(lambda run: run.fps)),
            _text(case.speedup(), 2),
            f"{case.of_streams(bound_fps).median:.1f}",
            case.of_streams(share_of_bound).text(2),
            case.of_streams(lambda run: run.cpu_ms).text(0),
            _text(case.of_naives(lambda run: run.cpu_ms), 0),
        )
        for case in cases
    ]
    columns = (
        "engine", "frames/s", "naive", "times naive", "bound", "of bound", "CPU ms", "naive",
    )  # fmt: skip
    title = "Throughput from file to labelled file, and CPU time a frame; naive: the loop"
    return Grid(title, columns, tuple(rows))


def ages(cases: Sequence[CaseReport]) -> Grid:
    """Return the ages of frames."""
    rows = []
    for case in cases:
        times = [run.age for run in case.streams if run.age is not None]
        percentiles = (
            Spread.of([getattr(age, name) for age in times]).text(0) if times else ABSENT
            for name in ("p50", "p90", "p99", "max")
        )
        rows.append((case.title, *percentiles))
    title = "Frame age in ms, captured to finished picture, unclipped; files wait in the pipeline"
    return Grid(title, ("engine", "p50", "p90", "p99", "max"), tuple(rows))


def start_up(cases: Sequence[CaseReport]) -> Grid:
    """Return memory, and the time until there is something to see."""
    rows = [
        (
            case.title,
            case.of_streams(lambda run: run.peak_mib).text(0),
            _text(case.of_naives(lambda run: run.peak_mib), 0),
            _device_memory(case),
            case.of_streams(lambda run: run.first_picture_s).text(),
            case.of_streams(lambda run: run.open_s).text(),
            ABSENT if case.build_s is None else f"{case.build_s:.0f}",
        )
        for case in cases
    ]
    columns = ("engine", "peak MiB", "naive", "on GPU", "first picture s", "open s", "build s")
    return Grid("Memory, and start-up from the start of the process", columns, tuple(rows))


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


def _device_memory(case: CaseReport) -> str:
    peak = case.of_streams(lambda run: run.device_peak_mib)
    return peak.text(0) if peak.high > 0 else ABSENT


def _text(spread: Spread | None, digits: int = 1) -> str:
    return ABSENT if spread is None else spread.text(digits)
