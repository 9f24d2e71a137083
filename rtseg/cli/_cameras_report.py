"""What a person sees of several cameras in the terminal: a line for each, and their sum."""

from __future__ import annotations

import threading

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from rtseg.cli._stream_report import print_summary, rate_words
from rtseg.frames import Picture
from rtseg.stream.cameras.cameras import Camera
from rtseg.stream.cameras.several_summary import CameraResult, SeveralSummary
from rtseg.stream.sinks.sink import Sink, StreamInfo

NAME = "progress"
_WIDEST_NAME = 24


class CamerasProgress:
    """Shows a line for each camera while any of them runs.

    Args:
        console: where; nothing moves where that is no terminal.
    """

    def __init__(self, console: Console) -> None:
        self._lock = threading.Lock()
        self._num_open = 0
        self._progress = Progress(
            TextColumn("{task.description}", style="bold"),
            TextColumn("{task.completed} frames"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )

    def sink(self, camera: Camera) -> Sink:
        """Return the sink that counts a camera's pictures."""
        return _Line(self, camera.name)

    def begin(self) -> Progress:
        """Begin to show, at the first camera; return where its line is added."""
        with self._lock:
            self._num_open += 1
            if self._num_open == 1:
                self._progress.start()
        return self._progress

    def end(self) -> None:
        """Take the display away after the last camera."""
        with self._lock:
            self._num_open -= 1
            if self._num_open == 0:
                self._progress.stop()


class _Line(Sink):
    """One camera's line."""

    name = NAME

    def __init__(self, progress: CamerasProgress, camera: str) -> None:
        self._lines, self._camera = progress, camera
        self._progress: Progress | None = None

    def open(self, info: StreamInfo) -> None:
        self._info = info
        total = info.source.num_frames
        self._progress = self._lines.begin()
        self._task = self._progress.add_task(self._camera, total=total, state="")

    def write(self, picture: Picture) -> None:
        assert self._progress is not None
        state = self._info.reception.notice() or rate_words(self._info.latency)
        self._progress.update(self._task, advance=1, state=state)

    def close(self) -> None:
        progress, self._progress = self._progress, None
        if progress is not None:
            progress.update(self._task, state="ended")
            self._lines.end()


def print_cameras(console: Console, summary: SeveralSummary, *, verbose: bool = False) -> None:
    """Print the figures of a finished run: a line for each camera; `verbose`: every stage too."""
    if verbose:
        for one in summary.cameras:
            if one.summary is not None:
                console.rule(Text(one.name), align="left")
                print_summary(console, one.summary)
    done = [one.summary for one in summary.cameras if one.summary is not None]
    if done:
        console.print(Text(f"engine  {done[0].engine}"))
    console.print(_table(summary))
    for one in summary.cameras:
        for problem in one.summary.problems if one.summary is not None else ():
            console.print(Text(f"! {one.name}: {problem}", style="yellow"))


def _table(summary: SeveralSummary) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("camera", max_width=_WIDEST_NAME)
    table.add_column("source", overflow="fold")
    for title in ("frames", "fps", "dropped", "age p50 ms", "p99"):
        table.add_column(title, justify="right")
    table.add_column("written", overflow="fold")
    for one in summary.cameras:
        table.add_row(*_row(one))
    table.add_row("all", "", str(summary.pictures), f"{summary.fps:.1f}", style="bold")
    return table


def _row(one: CameraResult) -> list[Text]:
    if one.summary is None:
        return [Text(one.name), Text("could not be opened" if one.failure else "never came")]
    figures = one.summary
    end = " (failed)" if one.failure else " (stopped)" if figures.stopped else ""
    written = [name for name in figures.outputs if name not in (NAME, "mosaic")]
    return [
        Text(cell)
        for cell in (
            one.name,
            figures.source + end,
            str(figures.pictures),
            f"{figures.fps:.1f}",
            str(figures.dropped),
            f"{figures.age.p50:.0f}",
            f"{figures.age.p99:.0f}",
            ", ".join(written),
        )
    ]
