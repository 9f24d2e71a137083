"""What every output owes: it is opened once, written picture by picture, and always closed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from rtseg.classes import ClassSet
from rtseg.closing import Closing
from rtseg.frames import ClassMap, Picture
from rtseg.stream.controls import Controls
from rtseg.stream.events import Events
from rtseg.stream.latency import Latency
from rtseg.stream.reception import Reception
from rtseg.stream.sources.source import SourceInfo


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a sink is told before the first picture.

    Args:
        source: where the pictures come from.
        classes: what the labels mean.
        engine: the engine in one line, for captions and metadata.
        controls: what a view's keys and buttons act on.
        latency: the times of every frame's stages, and the counts of drops.
        redraw: draws a class map again in the style of the moment, for a view whose style changes
            while the stream is paused; called in the sink's thread. None: a change shows with the
            next picture.
        events: what happens besides pictures; a sink adds its own (a segment closed).
        reception: whether the source's pictures come.
        key: what the stream is called among several of one process, in addresses and names of
            files: lower-case letters, digits and hyphens; empty where it is alone.
        outputs: the stream's outputs as people wrote them, for who lists its recordings.
    """

    source: SourceInfo
    classes: ClassSet
    engine: str
    controls: Controls
    latency: Latency
    redraw: Callable[[ClassMap], Picture] | None = None
    events: Events = field(default_factory=Events)
    reception: Reception = field(default_factory=Reception)
    key: str = ""
    outputs: tuple[str, ...] = ()


class Sink(Closing):
    """A recording, a window, a folder of pictures, …

    Passive: the pipeline calls `open`, `write`, `idle` and `close` from one thread of its own,
    `close` once and in any case: also when something failed, be it `open` itself, and when `open`
    was never called because something else failed before. A sink is written pictures in the order
    of their frames; where frames were dropped, none appears in their place.
    """

    name: str
    """How it is shown to people, such as the file's path."""
    main_thread: ClassVar[bool] = False
    """Must be served by the program's main thread (windows)."""
    idle_s: ClassVar[float | None] = None
    """How long without a picture until `idle` is called, and again and again; None: never."""

    def open(self, info: StreamInfo) -> None:  # not every sink needs it
        """Get ready; refuse now what can be refused now (a file that exists, no display).

        Raises:
            SinkError: the output can't be opened.
        """

    @abstractmethod
    def write(self, picture: Picture) -> None:
        """Take one picture.

        Raises:
            SinkError: it can't be written; what was written before is kept.
        """

    def idle(self) -> None:
        """Look after what lives between pictures, such as a window's keys; see `idle_s`."""

    def close(self) -> None:
        """Finish the output so that it can be used; a sink can be closed twice.

        Raises:
            SinkError: the output could not be finished.
        """

    def problems(self) -> list[str]:
        """Return a line for each thing that people should know of at the end."""
        return []

    def notice(self) -> str | None:
        """Return what views show while something is wrong with this output; from any thread."""
        return None
