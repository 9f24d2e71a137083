"""The boxes of a fragmented MP4: cutting off what a failed write left half done."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_SHORT, _LONG = struct.Struct(">I4s"), struct.Struct(">Q")


def cut_torn_tail(path: Path) -> None:
    """Cut an MP4 file behind its last whole fragment (``moof`` and ``mdat``), if one is torn.

    A player may stumble over the rest: its index names data that isn't there.
    """
    with path.open("r+b") as file:
        whole_bytes = _end_of_whole_fragments(file)
        if whole_bytes:
            file.truncate(whole_bytes)


def _end_of_whole_fragments(file: IO[bytes]) -> int:
    """Return where the last whole box ends that isn't the head of a missing ``mdat``; or 0."""
    end = 0
    for kind, box_end in _whole_boxes(file):
        if kind != b"moof":
            end = box_end
    return end


def _whole_boxes(file: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield type and end of each box at the top level that lies in the file as a whole."""
    file_bytes = file.seek(0, 2)
    start = 0
    while start + _SHORT.size <= file_bytes:
        file.seek(start)
        size, kind = _SHORT.unpack(file.read(_SHORT.size))
        if size == 1:
            long_size = file.read(_LONG.size)
            size = _LONG.unpack(long_size)[0] if len(long_size) == _LONG.size else 0
        if size < _SHORT.size or start + size > file_bytes:
            return
        start += size
        yield kind, start
