"""What a person sees of a stream in the terminal: its progress, and its figures at the end."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from rtseg.frames import Picture
from rtseg.stream.latency import Latency, Percentiles
from rtseg.stream.pace.pace import PaceFigures
from rtseg.stream.sinks.sink import Sink, StreamInfo
from rtseg.stream.summary import Summary


class ProgressSink(Sink):
    """Shows how far the stream is, its rate, the frame age and drops.

    Args:
        console: where; nothing moves where that is no terminal.
    """

    name = "progress"

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.completed} frames"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._info: StreamInfo | None = None

    def open(self, info: StreamInfo) -> None:
        """Begin to show."""
        self._info = info
        self._task = self._progress.add_task("", total=info.source.num_frames, rate="")
        self._progress.start()

    def write(self, picture: Picture) -> None:
        """Count one picture."""
        assert self._info is not None
        self._progress.update(self._task, advance=1, rate=rate_words(self._info.latency))

    def close(self) -> None:
        """Take the display away."""
        self._progress.stop()


def rate_words(times: Latency) -> str:
    """Return how a stream runs, such as ``"24.9 fps, age 48 ms, 3 dropped"``."""
    drops = sum(times.drops.values())
    dropped = f", {drops} dropped" if drops else ""
    return f"{times.fps:.1f} fps, age {times.age_ms:.0f} ms{dropped}"


def print_summary(console: Console, summary: Summary) -> None:
    """Print the figures of a finished stream."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for title, value in _rows(summary):
        table.add_row(title, Text(value))
    console.print(table)
    console.print(_stages_table(summary))
    for problem in summary.problems:
        console.print(Text(f"! {problem}", style="yellow"))


def _rows(summary: Summary) -> list[tuple[str, str]]:
    dropped = ", ".join(f"{count} before {hop}" for hop, count in summary.drops.items() if count)
    rows = [
        ("source", summary.source + (" (stopped)" if summary.stopped else "")),
        ("engine", summary.engine),
        ("chosen", summary.reason),
        ("frames", f"{summary.pictures} in {summary.wall_s:.1f} s: {summary.fps:.1f} a second"),
        ("dropped", dropped or "none"),
        ("frame age", f"{_percentiles(summary.age)} ms (p50 / p90 / p99 / max)"),
        ("start-up", f"{summary.startup_s:.1f} s until the first picture"),
    ]
    if summary.accuracy:
        figures = summary.accuracy
        rows.append(
            (
                "against truth",
                f"mIoU {100 * figures['mean_iou']:.1f} %, pixels right "
                f"{100 * figures['pixel_accuracy']:.1f} %, steady "
                f"{100 * figures['temporal_consistency']:.2f} %",
            )
        )
    if summary.pace is not None:
        rows.append(("rate", _pace(summary.pace)))
    rows += [("written", name) for name in summary.outputs if name != "progress"]
    return [(title, value) for title, value in rows if value]


def _stages_table(summary: Summary) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("stage")
    for title in ("mean ms", "p50", "p90", "p99", "max", "of the age"):
        table.add_column(title, justify="right")
    for name, times in summary.stages.items():
        values = (times.mean, times.p50, times.p90, times.p99, times.max)
        share = f"{100 * summary.shares[name]:.0f} %" if name in summary.shares else ""
        table.add_row(name, *(f"{value:.1f}" for value in values), share)
    return table


def _pace(pace: PaceFigures) -> str:
    sizes = ", ".join(f"{size} {100 * share:.0f} %" for size, share in pace.sizes.items() if share)
    skipped = f"; {pace.skipped} left out" if pace.skipped else ""
    return f"{pace.target_fps:g} fps to keep: {sizes} of the time, {pace.changes} changes{skipped}"


def _percentiles(times: Percentiles) -> str:
    return f"{times.p50:.0f} / {times.p90:.0f} / {times.p99:.0f} / {times.max:.0f}"
