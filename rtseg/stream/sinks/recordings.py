"""The films that outputs such as ``drive.mp4`` have left so far, for who lists or plays them."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from rtseg.stream.sinks.movie_file import MOVIE_SUFFIXES
from rtseg.stream.sinks.segments.file_lock import is_locked
from rtseg.stream.sinks.segments.raw_recording import raw_path
from rtseg.stream.sinks.segments.segment_names import SegmentFile, SegmentNames

_TAIL_BYTES = 4096
"""The last line of a sidecar is shorter."""


@dataclass(frozen=True, slots=True)
class RecordingFile:
    """A film that can be played.

    Args:
        name: the file's name without its folder; no two of a list have the same.
        path: where it is.
        bytes: its size.
        start: when it begins, seconds since 1970; None where nothing says it.
        seconds: how long it is; None where nothing says it (it is still being written).
        open: a process writes it at the moment; what is there so far plays.
        raw: the camera's own stream, without labels.
    """

    name: str
    path: Path
    bytes: int
    start: float | None
    seconds: float | None
    open: bool
    raw: bool = False


def list_recordings(outputs: Iterable[str]) -> list[RecordingFile]:
    """Return the films of these outputs, the newest last; outputs that are no films are left out.

    >>> list_recordings(["window", "nowhere/drive.mp4"])
    []

    Args:
        outputs: as ``-o`` takes them.
    """
    found: dict[str, RecordingFile] = {}
    for output in _film_outputs(outputs):
        for file in (*_whole_films(output), *_segments(output)):
            found.setdefault(file.name, file)
    return sorted(found.values(), key=lambda file: (file.start or 0.0, file.name))


def find_recording(outputs: Iterable[str], name: str) -> RecordingFile | None:
    """Return the film of that name among those of `list_recordings`; None where there is none.

    A name with a folder in it is none of theirs.
    """
    for output in _film_outputs(outputs):
        whole = (file for file in _whole_films(output) if file.name == name)
        file = next(whole, None) or _segment(SegmentNames(output).named(name))
        if file is not None:
            return file
    return None


def _film_outputs(outputs: Iterable[str]) -> Iterator[Path]:
    paths = (Path(output) for output in outputs)
    return (path for path in paths if path.suffix.lower() in MOVIE_SUFFIXES)


def _whole_films(output: Path) -> Iterator[RecordingFile]:
    """Yield the film of an unsegmented recording, and its raw twins."""
    if (file := _film(output, raw=False)) is not None:
        yield file
    for number in count(1):
        if (file := _film(raw_path(output, number), raw=True)) is None:
            return
        yield file


def _segments(output: Path) -> Iterator[RecordingFile]:
    for segment in SegmentNames(output).files():
        if (file := _segment(segment)) is not None:
            yield file


def _segment(segment: SegmentFile | None) -> RecordingFile | None:
    if segment is None or segment.kind == "sidecar":
        return None
    return _film(segment.path, raw=segment.kind == "raw", done=not segment.part)


def _film(path: Path, *, raw: bool, done: bool = False) -> RecordingFile | None:
    """Describe a file; None where there is nothing in it.

    Args:
        path: the file.
        raw: it is the camera's own stream.
        done: its name says that nobody writes it any more.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    if not path.is_file() or status.st_size == 0:
        return None
    is_open = not done and is_locked(path)
    described = _described if is_open else _described_once
    start_s, seconds = described(path, (status.st_mtime_ns, _mtime_ns(_sidecar_of(path))))
    if is_open:
        seconds = None
    elif start_s is None and seconds is not None:
        start_s = status.st_mtime - seconds
    return RecordingFile(path.name, path, status.st_size, start_s, seconds, is_open, raw)


def _described(path: Path, changed_ns: tuple[int, int]) -> tuple[float | None, float | None]:
    """Return when a film begins and how long it is, from its sidecar, else from itself.

    Args:
        path: the film.
        changed_ns: when it and its sidecar were written last; what is known of them is kept by it.
    """
    lines = _first_and_last(_sidecar_of(path))
    if _sidecar_of(path).stem != path.stem or not lines:  # a raw film ends at times of its own
        return _begin(lines), _length(path)
    end = lines[-1] if lines[-1].get("kind") == "end" else {}
    seconds = end.get("seconds")
    return _begin(lines), float(seconds) if seconds is not None else _length(path)


@functools.lru_cache(maxsize=16384)
def _described_once(path: Path, changed_ns: tuple[int, int]) -> tuple[float | None, float | None]:
    return _described(path, changed_ns)


def _mtime_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _sidecar_of(film: Path) -> Path:
    part = ".part" if film.stem.endswith(".part") else ""
    stem = re.sub(r"-raw(-\d+)?$", "", film.stem.removesuffix(".part"))
    return film.with_name(f"{stem}{part}.jsonl")


def _begin(lines: list[dict[str, Any]]) -> float | None:
    text = lines[0].get("start") if lines and lines[0].get("kind") == "segment" else None
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None


def _first_and_last(sidecar: Path) -> list[dict[str, Any]]:
    """Return the first and the last line of a sidecar, as far as they are whole."""
    try:
        with sidecar.open("rb") as file:
            lines = [file.readline()]
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
            lines += file.read().splitlines()[-1:]
    except OSError:
        return []
    try:
        read = [json.loads(line) for line in lines]
    except ValueError:
        return []
    return [line for line in read if isinstance(line, dict)]


def _length(path: Path) -> float | None:
    """Return how long a film is, as far as it says so."""
    try:
        with av.open(f"file:{path}") as film:
            duration = film.duration
    except (FFmpegError, OSError, ValueError, IndexError):
        return None
    return None if duration is None or duration <= 0 else float(duration / av.time_base)
