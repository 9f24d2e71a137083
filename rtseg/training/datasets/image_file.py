"""Reading pictures and masks exactly, with one clear error for a file that is damaged.

PNG and JPEG files are checked before OpenCV sees them: it fills what is missing with grey, and the
libraries below it write to stderr. OpenCV also turns the indices of a palette PNG into colours and
stretches 1-, 2- and 4-bit values over 0–255; `read_ids` gives the numbers that the file holds.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from rtseg.errors import DataError
from rtseg.training.datasets.dataset import UInt8

Ids = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"

_GREY, _PALETTE = 0, 3
"""Colour types of a PNG header."""


def read_image(path: Path) -> UInt8:
    """Read a picture as uint8 BGR [H, W, 3], turned as its EXIF orientation says.

    Raises:
        DataError: the file is missing, damaged or no picture.
    """
    data = _read(path)
    if data.startswith(PNG_SIGNATURE):
        list(_png_chunks(data, path))
    elif data.startswith(JPEG_SIGNATURE):
        _check_jpeg(data, path)
    return np.asarray(_decode(data, cv2.IMREAD_COLOR, path), np.uint8)


def read_colours(path: Path) -> UInt8:
    """Read a mask of colours as uint8 BGR [H, W, 3]; transparency and colour profiles don't count.

    Raises:
        DataError: the file is missing, damaged, no picture, or a JPEG, whose colours are inexact.
    """
    data = _read_mask(path)
    if data.startswith(PNG_SIGNATURE):
        data = _join_png(data, (b"IHDR", b"PLTE", b"IDAT", b"IEND"), path)
    return np.asarray(_decode(data, cv2.IMREAD_COLOR, path), np.uint8)


def read_ids(path: Path) -> Ids:
    """Read a mask of numbers as uint8 or uint16 [H, W]; of a palette PNG, the indices.

    Raises:
        DataError: the file is missing, damaged, no picture, a JPEG, or holds colours.
    """
    data, divisor = _read_mask(path), 1
    if data.startswith(PNG_SIGNATURE):
        data, divisor = _as_grey_png(data, path)
    pixels = _decode(data, cv2.IMREAD_UNCHANGED, path)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise DataError(f"mask {path} holds {pixels.dtype} values; whole numbers are needed")
    if pixels.ndim == 3:
        first = pixels[..., 0]
        if any((pixels[..., i] != first).any() for i in range(1, min(3, pixels.shape[2]))):
            raise DataError(
                f"mask {path} holds colours, but numbers are expected: say 'values: colours' "
                "and list the colours of each class in the data set's YAML file"
            )
        pixels = np.ascontiguousarray(first)
    return pixels // divisor if divisor > 1 else pixels


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"no such file: {path}") from None
    except OSError as error:
        raise DataError(f"can't read {path}: {error.strerror}") from error
    if not data:
        raise DataError(f"{path} is empty; copy it again")
    return data


def _read_mask(path: Path) -> bytes:
    data = _read(path)
    if data.startswith(JPEG_SIGNATURE):
        raise DataError(
            f"mask {path} is a JPEG, which blurs numbers and colours at every border; "
            "a lossless format such as PNG is needed"
        )
    return data


def _decode(data: bytes, mode: int, path: Path) -> npt.NDArray[Any]:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    except cv2.error as error:
        raise DataError(f"{path} can't be decoded: {error.err}") from error
    if pixels is None:
        raise DataError(f"{path} is no picture that can be decoded, or is damaged")
    return pixels


def _png_chunks(data: bytes, path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield (type, whole chunk) up to IEND; DataError where a chunk is cut off or damaged."""
    position = len(PNG_SIGNATURE)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        chunk = data[position : position + 12 + length]
        if len(chunk) < 12 + length:
            break
        if zlib.crc32(chunk[4:-4]) != struct.unpack(">I", chunk[-4:])[0]:
            raise DataError(
                f"{path} is damaged: the check sum at byte {position + 8 + length} is wrong; "
                "copy it again"
            )
        yield chunk[4:8], chunk
        if chunk[4:8] == b"IEND":
            return
        position += len(chunk)
    raise DataError(f"{path} is cut off after {len(data)} bytes; copy it again")


def _join_png(data: bytes, kept: tuple[bytes, ...], path: Path) -> bytes:
    chunks = [chunk for kind, chunk in _png_chunks(data, path) if kind in kept]
    return PNG_SIGNATURE + b"".join(chunks)


def _as_grey_png(data: bytes, path: Path) -> tuple[bytes, int]:
    """Return the PNG with palette indices as grey values, and what decoded values are divided by.

    The pixel data of a palette picture and of a grey one look the same; the header tells them
    apart. Grey values of fewer than 8 bits are stretched over 0–255 when they are decoded.
    """
    bare = _join_png(data, (b"IHDR", b"IDAT", b"IEND"), path)
    header = bytearray(bare[12:29])  # IHDR and its 13 bytes: width, height, depth, colour type, …
    if header[:4] != b"IHDR":
        raise DataError(f"{path} is damaged: the PNG doesn't begin with its header")
    depth, colour_type = header[12], header[13]
    if colour_type not in (_GREY, _PALETTE):
        return bare, 1
    header[13] = _GREY
    checked = bytes(header) + struct.pack(">I", zlib.crc32(header))
    return bare[:12] + checked + bare[33:], 255 // (2**depth - 1) if depth < 8 else 1


def _check_jpeg(data: bytes, path: Path) -> None:
    """Raise DataError unless the scan of the picture itself (no thumbnail's) has an end."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker, length = struct.unpack_from(">xBH", data, position)
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        position += 2 + length
        if marker == 0xDA:  # from here on 0xFF is escaped: the next end mark is the real one
            if data.find(b"\xff\xd9", position) < 0:
                break
            return
    raise DataError(f"{path} is cut off or damaged after {len(data)} bytes; copy it again")
