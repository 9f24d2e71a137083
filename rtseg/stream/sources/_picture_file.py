"""Reading one picture file, and knowing a damaged one.

PNG and JPEG files are looked through before OpenCV sees them: it fills what is missing with grey,
and the libraries below it write to stderr.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

from rtseg.errors import SourceError
from rtseg.frames import Image
from rtseg.stream.sources._container import check_file
from rtseg.stream.sources._opencv import quiet_opencv

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"


def read_picture(path: Path, turned: bool) -> Image:
    """Read a picture as uint8 BGR [H, W, 3]; alpha is left aside.

    Args:
        turned: lay it as its EXIF orientation says.

    Raises:
        SourceError: the file can't be read, is damaged or no picture.
    """
    check_file(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"can't read {path}: {error.strerror}") from None
    if (data.startswith(_PNG) and not _is_whole_png(data)) or (
        data.startswith(_JPEG) and not _is_whole_jpeg(data)
    ):
        raise SourceError(f"{path} is damaged or cut off; copy it again")
    mode = cv2.IMREAD_COLOR if turned else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        with quiet_opencv():
            image = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    except (cv2.error, MemoryError):
        image = None
    if image is None:
        raise SourceError(f"{path} is no picture that can be decoded, or is damaged")
    return np.asarray(image, np.uint8)


def _is_whole_png(data: bytes) -> bool:
    """Return whether every chunk up to the end mark is there and has its check sum."""
    position = len(_PNG)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        chunk = data[position : position + 12 + length]
        if len(chunk) < 12 + length:
            return False
        if zlib.crc32(chunk[4:-4]) != struct.unpack(">I", chunk[-4:])[0]:
            return False
        if chunk[4:8] == b"IEND":
            return True
        position += len(chunk)
    return False


def _is_whole_jpeg(data: bytes) -> bool:
    """Return whether the scan of the picture itself, not that of a thumbnail, has an end."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker, length = struct.unpack_from(">xBH", data, position)
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        position += 2 + length
        if marker == 0xDA:  # from here on 0xFF is escaped: the next end mark is the real one
            return data.find(b"\xff\xd9", position) >= 0
    return False
