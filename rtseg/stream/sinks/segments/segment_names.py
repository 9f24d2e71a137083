"""What the files of a segmented recording are called, and which files are its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

SIDECAR_SUFFIX, RAW_SUFFIX = ".jsonl", ".mkv"
_PART = ".part"
_RAW = "-raw"
_START = "%Y%m%dT%H%M%S"

FileKind = Literal["film", "raw", "sidecar"]


@dataclass(frozen=True, slots=True, order=True)
class SegmentFile:
    """One file of a segment.

    Args:
        number: of the segment; it alone says the order, as a clock may be wrong or set back.
        start: local time of its begin, as it stands in the name.
        kind: the film, the camera's own stream, or the lines that describe the film.
        part: it was not finished when its name was read.
        path: where it is.
    """

    number: int
    start: str
    kind: FileKind
    part: bool
    path: Path


class SegmentNames:
    """The names beside an output such as ``drive.mp4``: ``drive-20261124T114500-000017.mp4``.

    The number counts on over all runs. The same stem has the segment's sidecar (``.jsonl``) and,
    with ``-raw.mkv``, the camera's own stream. While a file is written ``.part`` stands before its
    suffix.

    Args:
        output: the recording as people name it.
    """

    def __init__(self, output: Path) -> None:
        self.folder = output.parent
        self.suffix = output.suffix
        self._stem = output.stem
        self._pattern = re.compile(
            re.escape(output.stem)
            + r"-(?P<start>\d{8}T\d{6})-(?P<number>\d{6,})(?P<raw>-raw(?:-\d+)?)?(?P<part>\.part)?"
            + r"(?P<suffix>\.[a-z0-9]+)",
            re.IGNORECASE,
        )

    def stem(self, number: int, start_s: float) -> str:
        """Return what a segment's files have in common.

        Args:
            number: the segment's.
            start_s: when it begins, seconds since 1970.
        """
        start = datetime.fromtimestamp(start_s).astimezone()
        return f"{self._stem}-{start.strftime(_START)}-{number:06d}"

    def path(self, stem: str, kind: FileKind, *, part: bool = False, take: int = 1) -> Path:
        """Return where a segment's file is, finished or while it is written.

        Args:
            stem: the segment's.
            kind: which file.
            part: it is being written.
            take: counts the raw files of a segment, of which a change of the stream makes several.
        """
        tail = {
            "film": ("", self.suffix),
            "raw": (_RAW if take == 1 else f"{_RAW}-{take}", RAW_SUFFIX),
            "sidecar": ("", SIDECAR_SUFFIX),
        }
        mark, suffix = tail[kind]
        return self.folder / f"{stem}{mark}{_PART if part else ''}{suffix}"

    def read(self, path: Path) -> SegmentFile | None:
        """Return what a file's name says; None for any that isn't of this recording."""
        found = self._pattern.fullmatch(path.name)
        kind = self._kind(found) if found else None
        if found is None or kind is None:
            return None
        return SegmentFile(int(found["number"]), found["start"], kind, bool(found["part"]), path)

    def named(self, name: str) -> SegmentFile | None:
        """Return what a name without a folder says; None for any that isn't of this recording."""
        return self.read(self.folder / name) if Path(name).name == name else None

    def files(self) -> list[SegmentFile]:
        """Return the files of this recording that exist, the oldest segment's first."""
        return sorted(file for path in self._paths() if (file := self.read(path)) is not None)

    def next_number(self) -> int:
        """Return a number above all that stand beside, also of another kind of film."""
        found = (self._pattern.fullmatch(path.name) for path in self._paths())
        return max((int(match["number"]) for match in found if match), default=0) + 1

    def final(self, file: SegmentFile) -> Path:
        """Return what a part is called once it is finished."""
        path = file.path
        return path.with_name(path.stem.removesuffix(_PART) + path.suffix) if file.part else path

    def _paths(self) -> Iterator[Path]:
        try:
            yield from (path for path in self.folder.iterdir() if path.is_file())
        except OSError:  # there is no such folder yet, or no longer
            return

    def _kind(self, found: re.Match[str]) -> FileKind | None:
        suffix = found["suffix"]
        if found["raw"]:
            return "raw" if suffix == RAW_SUFFIX else None
        if suffix == SIDECAR_SUFFIX:
            return "sidecar"
        return "film" if suffix == self.suffix else None
