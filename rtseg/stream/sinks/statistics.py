"""A line for each frame: what it shows, how long each stage took, how old it was."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np

from rtseg.classes import VOID
from rtseg.config import Config
from rtseg.frames import ClassMap, Picture
from rtseg.stream.sinks.destination import check_destination
from rtseg.stream.sinks.kind import OutputSink, register
from rtseg.stream.sinks.lines_file import LinesFile
from rtseg.stream.sinks.sink import StreamInfo


@register("statistics")
class StatisticsSink(OutputSink):
    """Writes JSON lines; each is in the file as soon as it is written.

    A line holds ``index``, ``pts_s``, ``shares`` (class name → share of the picture, 0–1, those
    that are in it; ``void`` for pixels without a class), ``stages_ms`` (stage → milliseconds),
    ``age_ms`` (captured to written here) and ``drops`` (frames left out so far).
    """

    outputs: ClassVar[str] = "FILE.jsonl"
    example: ClassVar[str] = "stats.jsonl"

    def __init__(
        self, output: str | Path, config: Config | None = None, *, overwrite: bool = False
    ) -> None:
        self.name = str(output)
        self._path = Path(output)
        self._overwrite = overwrite
        self._file: LinesFile | None = None

    @classmethod
    def matches(cls, output: str) -> bool:
        """Return whether the output is named like a file of JSON lines."""
        return Path(output).suffix.lower() == ".jsonl"

    def open(self, info: StreamInfo) -> None:
        """Make the file.

        Raises:
            SinkError: it exists, or can't be written.
        """
        check_destination(self._path, overwrite=self._overwrite, source=info.source.name)
        self._info = info
        self._file = LinesFile(self._path, overwrite=self._overwrite)

    def write(self, picture: Picture) -> None:
        """Write a picture's line.

        Raises:
            SinkError: the disk is full, or the like; the lines before are whole.
        """
        assert self._file is not None
        self._file.append(self._values(picture))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _values(self, picture: Picture) -> dict[str, Any]:
        frame, latency = picture.frame, self._info.latency
        trace = latency.trace(frame.index)
        return {
            "index": frame.index,
            "pts_s": round(frame.pts_s, 6),
            "shares": class_shares(picture.class_map),
            "stages_ms": {stage: round(ms, 3) for stage, ms in trace.items()},
            "age_ms": round((time.monotonic_ns() - frame.captured_ns) / 1e6, 3),
            "drops": sum(latency.drops.values()),
        }


def class_shares(class_map: ClassMap) -> dict[str, float]:
    """Return class name → share of the picture, 0–1, for the classes that are in it."""
    labels = np.asarray(class_map.labels)
    counts = cv2.calcHist([labels], [0], None, [256], [0, 256]).ravel()
    names = [*enumerate(class_map.classes.names), (VOID, "void")]
    shares = {name: float(counts[label]) / labels.size for label, name in names}
    return {name: round(share, 6) for name, share in shares.items() if share}
