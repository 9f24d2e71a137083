"""The chart of a benchmark: rates beside their bounds, and what each stage costs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from rtseg.bench.bound import bound_fps
from rtseg.bench.report import CaseReport, Report
from rtseg.bench.spread import Spread
from rtseg.errors import MissingExtraError, SinkError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STAGE_COLOURS = {
    "decode": "#4477aa",
    "preprocess": "#66ccee",
    "engine": "#ee6677",
    "postprocess": "#ccbb44",
    "overlay": "#228833",
    "encode": "#aa3377",
}
"""Paul Tol's bright scheme, which people with colour blindness tell apart."""
NAIVE, STREAM, BOUND = "#bbbbbb", "#4477aa", "#222222"


def write_chart(report: Report, path: Path) -> None:
    """Draw the measured cases as a PNG file.

    Raises:
        MissingExtraError: matplotlib is not installed.
        SinkError: the file can't be written.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    rates = [case for case in report.cases if case.measured]
    costs = [case for case in report.cases if case.parts is not None]
    height = 1.8 + 0.62 * max(len(rates), len(costs), 1)
    figure = Figure(figsize=(12, height), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_rates(left, rates)
    _draw_costs(right, costs)
    machine = report.machine
    figure.suptitle(
        f"{report.source} on {machine.gpu or machine.processor}, {machine.cores} cores", fontsize=10
    )
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise SinkError(f"can't write {path}: {error.strerror}") from error


def require_matplotlib() -> None:
    """Check that charts can be drawn.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError("matplotlib", "train", "the chart of a benchmark")


def _draw_rates(axes: Axes, cases: list[CaseReport]) -> None:
    axes.set_title("frames a second", fontsize=10)
    for row, case in enumerate(cases):
        stream = case.of_streams(lambda run: run.fps)
        naive = case.of_naives(lambda run: run.fps)
        _bar(axes, row - 0.2, stream, STREAM, _once("rtseg", row))
        if naive is not None:
            _bar(axes, row + 0.2, naive, NAIVE, _once("naive loop", row))
        bound = case.of_streams(bound_fps).median
        label = _once("bound", row)
        axes.plot([bound, bound], [row - 0.42, row + 0.02], color=BOUND, lw=2, label=label)
    _name_rows(axes, [case.title for case in cases])
    _legend(axes)


def _once(label: str, row: int) -> str:
    """Return the label for the first row, and for others one that a legend leaves out."""
    return label if row == 0 else "_"


def _bar(axes: Axes, row: float, spread: Spread, colour: str, label: str) -> None:
    error = [[spread.median - spread.low], [spread.high - spread.median]]
    axes.barh(row, spread.median, 0.36, color=colour, xerr=error, ecolor="#666666", label=label)
    axes.annotate(
        f"{spread.median:.1f}", (spread.low, row), (-4, 0), textcoords="offset points",
        ha="right", va="center", fontsize=8, color="white",
    )  # fmt: skip


def _draw_costs(axes: Axes, cases: list[CaseReport]) -> None:
    axes.set_title("CPU milliseconds a frame, each stage alone", fontsize=10)
    seen: set[str] = set()
    for row, case in enumerate(cases):
        begin = 0.0
        for part in case.parts.parts if case.parts else ():
            stage = part.name.partition(",")[0]
            if not part.on_the_way or stage not in STAGE_COLOURS:
                continue
            label = "_" if stage in seen else stage
            seen.add(stage)
            colour = STAGE_COLOURS[stage]
            axes.barh(row, part.cpu_ms, 0.6, left=begin, color=colour, label=label)
            begin += part.cpu_ms
        axes.annotate(
            f"{begin:.1f}", (begin, row), (4, 0), textcoords="offset points", va="center",
            fontsize=8,
        )  # fmt: skip
    _name_rows(axes, [case.parts.engine for case in cases if case.parts])
    axes.margins(x=0.1)
    _legend(axes)


def _legend(axes: Axes) -> None:
    """Explain the colours below the axes, where they hide no bar."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(
            handles, labels, fontsize=8, ncols=3, frameon=False, loc="upper center",
            bbox_to_anchor=(0.5, -0.12),
        )  # fmt: skip


def _name_rows(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), [name.replace(" ", "\n", 1) for name in names], fontsize=8)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
