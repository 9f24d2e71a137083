"""Cutting a fragmented MP4 behind its last whole fragment."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from rtseg.stream.sinks.fragments import cut_torn_tail


def box(kind: bytes, length: int = 16) -> bytes:
    return struct.pack(">I4s", length, kind) + bytes(length - 8)


HEAD = box(b"ftyp") + box(b"moov", 40)
WHOLE = HEAD + box(b"moof", 24) + box(b"mdat", 100)
LONG_BOX = struct.pack(">I4sQ", 1, b"mdat", 50) + bytes(34)


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (WHOLE, WHOLE),
        (WHOLE + box(b"moof", 24) + box(b"mdat", 100)[:50], WHOLE),
        (WHOLE + box(b"moof", 24), WHOLE),
        (WHOLE + box(b"moof", 24)[:5], WHOLE),
        (WHOLE + box(b"moof", 24) + LONG_BOX, WHOLE + box(b"moof", 24) + LONG_BOX),
        (WHOLE + box(b"moof", 24) + LONG_BOX[:20], WHOLE),
        (WHOLE + b"\0\0\0\0abcd" + bytes(9), WHOLE),
        (HEAD, HEAD),
        (b"\0\0", b"\0\0"),
        (b"", b""),
    ],
)
def test_whole_fragments_alone_are_kept(tmp_path: Path, content: bytes, kept: bytes) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    cut_torn_tail(path)
    assert path.read_bytes() == kept
