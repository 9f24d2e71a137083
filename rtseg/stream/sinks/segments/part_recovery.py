"""Segments whose writer died: found at the next start, made whole, and given their names."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import av
from av.error import FFmpegError

from rtseg.stream.sinks.fragments import cut_torn_tail
from rtseg.stream.sinks.segments.file_lock import FileLock
from rtseg.stream.sinks.segments.segment_names import SegmentFile, SegmentNames
from rtseg.whole_file import sync_folder


def recover_parts(names: SegmentNames) -> list[Path]:
    """Finish the parts of a recording that no living process writes; return the films among them.

    A torn tail is cut off. A part that holds no picture is deleted, and with it its sidecar.
    """
    parts = [file for file in names.files() if file.part]
    films = [path for file in parts if (path := _recover(names, file)) is not None]
    if parts:
        with contextlib.suppress(OSError):
            sync_folder(names.folder)
    return films


def _recover(names: SegmentNames, part: SegmentFile) -> Path | None:
    """Finish one part; return its new name where it is a film with labels."""
    try:
        lock = FileLock(part.path)
    except OSError:  # somebody writes it, or finished it meanwhile
        return None
    try:
        return _finish(names, part, lock)
    except OSError:  # it stays as it is, for the next time
        return None
    finally:
        lock.release()


def _finish(names: SegmentNames, part: SegmentFile, lock: FileLock) -> Path | None:
    written_at = part.path.stat()
    if part.kind == "sidecar":
        _finish_sidecar(names, part)
        return None
    if part.path.suffix.lower() != ".mkv":
        cut_torn_tail(part.path)
    if not holds_pictures(part.path):
        part.path.unlink()
        return None
    os.utime(part.path, ns=(written_at.st_atime_ns, written_at.st_mtime_ns))
    lock.sync()
    final = names.final(part)
    if final.exists():  # nobody's work is replaced
        return None
    part.path.rename(final)
    return final if part.kind == "film" else None


def _finish_sidecar(names: SegmentNames, part: SegmentFile) -> None:
    """Cut a sidecar behind its last whole line; its film comes before it, or is long finished."""
    stem = part.path.name.split(".part")[0]
    final = names.final(part)
    film = names.path(stem, "film")
    film_part = names.path(stem, "film", part=True)
    if not film.exists() and not film_part.exists():
        part.path.unlink()
        return
    if film_part.exists():  # a living process writes it
        return
    lines = [line for line in part.path.read_bytes().split(b"\n") if _is_json(line)]
    if not lines or final.exists():
        return
    if json.loads(lines[-1]).get("kind") != "end":
        end = {"kind": "end", "recovered": True, "bytes": film.stat().st_size}
        lines.append(json.dumps(end).encode())
    part.path.write_bytes(b"".join(line + b"\n" for line in lines))
    part.path.rename(final)


def holds_pictures(film: Path) -> bool:
    """Return whether there is a picture in a film."""
    try:
        with av.open(f"file:{film}") as container:
            return any(packet.size for packet in container.demux(video=0))
    except (FFmpegError, OSError, ValueError, IndexError):
        return False


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
