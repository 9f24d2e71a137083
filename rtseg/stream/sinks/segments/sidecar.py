"""The lines beside a segment: what it is, what happened meanwhile, how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rtseg import __version__
from rtseg.stream.events import Event
from rtseg.stream.sinks.lines_file import LinesFile
from rtseg.stream.sinks.sink import StreamInfo

FORMAT = 1


class Sidecar:
    """JSON lines: the first has the kind ``segment``, the last one ``end``, between them events.

    Times named ``…_s`` are seconds on the stream's own clock, the one of `Frame.pts_s`; others are
    wall-clock times with their offset from UTC. Where the last line says ``recovered``, the writer
    died, and a later run finished the segment.

    Args:
        path: the file, made at once.

    Raises:
        SinkError: it can't be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = LinesFile(path, overwrite=False)

    def describe(
        self, info: StreamInfo, *, film: str, number: int, start_wall_s: float, start_s: float
    ) -> None:
        """Write the first line.

        Args:
            info: the stream.
            film: the file's name once it is finished.
            number: the segment's.
            start_wall_s: when its first picture was captured, seconds since 1970.
            start_s: the time of its first picture on the stream's clock.

        Raises:
            SinkError: the disk is full, or the like.
        """
        self._file.append(
            {
                "kind": "segment",
                "format": FORMAT,
                "rtseg": __version__,
                "film": film,
                "number": number,
                "start": wall_time(start_wall_s),
                "start_s": round(start_s, 6),
                "source": info.source.name,
                "engine": info.engine,
                "classes": list(info.classes.names),
                **({"stream": info.key} if info.key else {}),
            }
        )

    def note(self, event: Event, pts_s: float) -> None:
        """Write what happened at a time of the stream's clock.

        Raises:
            SinkError: the disk is full, or the like.
        """
        line = {"kind": event.kind, "at": wall_time(event.at_s), "at_s": round(pts_s, 3)}
        self._file.append({**line, "text": event.text, **_apart(event.values, line)})

    def end(self, values: Mapping[str, Any]) -> None:
        """Write the last line.

        Raises:
            SinkError: the disk is full, or the like.
        """
        self._file.append({"kind": "end", **values})

    def sync(self) -> None:
        """Have the lines on the disk when this returns.

        Raises:
            OSError: the disk failed.
        """
        self._file.sync()

    def close(self) -> None:
        """Close the file; it can be closed twice."""
        self._file.close()


def wall_time(seconds: float) -> str:
    """Return a time since 1970 as ISO 8601 in local time with its offset from UTC.

    >>> wall_time(0.25).endswith(("+00:00", "0"))
    True
    """
    local = datetime.fromtimestamp(seconds, timezone.utc).astimezone()
    return local.isoformat(timespec="milliseconds")


def _apart(values: Mapping[str, Any], taken: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event's figures under names that the line doesn't have already."""
    return {
        f"{name}_" if name in taken or name == "text" else name: v for name, v in values.items()
    }
