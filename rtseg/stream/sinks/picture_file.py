"""One picture as a file, whole or not there at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2

from rtseg.errors import SinkError
from rtseg.stream.sinks.destination import write_error
from rtseg.whole_file import write_whole_file

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def write_picture(path: Path, image: Any, quality: int = 92, png_compression: int = 1) -> None:
    """Write a picture, uint8 BGR [H, W, 3] or grey [H, W], in the format of its suffix.

    Args:
        path: where to; what is there is replaced.
        image: the picture.
        quality: of JPEG and WebP, 1–100.
        png_compression: of PNG, 0 (fast) to 9 (small).

    Raises:
        SinkError: the disk is full, the format can't hold the picture, or the like.
    """
    flags = {
        ".png": [cv2.IMWRITE_PNG_COMPRESSION, png_compression],
        ".webp": [cv2.IMWRITE_WEBP_QUALITY, quality],
    }.get(path.suffix.lower(), [cv2.IMWRITE_JPEG_QUALITY, quality])
    try:
        is_made, encoded = cv2.imencode(path.suffix, image, flags)
    except cv2.error:
        is_made = False
    if not is_made:
        height, width = image.shape[:2]
        raise SinkError(
            f"can't make {path}: {path.suffix} doesn't hold a picture of {width}x{height}; "
            "choose .png"
        )
    write_whole(path, encoded.tobytes())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place, then rename it: a broken-off write leaves nothing there.

    Raises:
        SinkError: the disk is full, or the like.
    """
    try:
        write_whole_file(path, lambda file: file.write(content), synced=False)
    except OSError as error:
        raise write_error(path, error) from error
