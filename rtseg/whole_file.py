"""Files that are whole or not there, whatever ends the writing."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO


def write_whole_file(
    path: Path, write: Callable[[IO[bytes]], object], *, synced: bool = True
) -> None:
    """Write a file beside its place, then rename it: `path` holds the old or the new content.

    Args:
        path: where to; its folder exists. What is there is replaced.
        write: writes everything into the file that it gets.
        synced: wait until the disk has it, so that this holds when the power fails, too.

    Raises:
        OSError: the disk is full, or the like; nothing is left of the attempt.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            write(file)
            if synced:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with suppress(OSError):  # gone already where all went well
            temporary.unlink()
    if synced:
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Wait until the disk has the folder's names; Windows doesn't open folders.

    Raises:
        OSError: the disk failed, or there is no such folder.
    """
    if os.name != "posix":
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
