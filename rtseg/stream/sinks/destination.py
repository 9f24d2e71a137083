"""Where an output file goes: whether it may be written there, and why a write failed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from rtseg.errors import SinkError

_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file is larger than the system allows",
}


def check_destination(path: Path, *, overwrite: bool, source: str) -> None:
    """Refuse now what would fail or do harm later; make the folder where it is missing.

    Args:
        path: the file that will be written.
        overwrite: it may exist, and is replaced then.
        source: name of the stream's source; where that is a file, it is never written onto.

    Raises:
        SinkError: the file exists, is the source or a folder, or its folder can't be written to.
    """
    if path.is_dir():
        raise SinkError(f"{path} is a folder; name a file in it, such as {path / 'out'}")
    if _is_same_file(path, source):
        raise SinkError(f"{path} is what is being read; choose another file for the output")
    if path.exists() and not overwrite:
        raise SinkError(f"{path} exists; choose another name, or pass --overwrite to replace it")
    make_folder(path.parent)
    if path.exists() and not os.access(path, os.W_OK):
        raise SinkError(f"{path} may not be replaced: no permission to write to it")


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, where they are missing.

    Raises:
        SinkError: it can't be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(
            f"the folder {folder} can't be made: {error.strerror}; choose another place"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SinkError(f"no permission to write to the folder {folder}; choose another place")


def reserve(path: Path, *, overwrite: bool) -> None:
    """Make the empty file; nobody else can have made it in between.

    Raises:
        SinkError: it exists and may not be overwritten, or can't be made.
    """
    flags = os.O_CREAT | os.O_WRONLY | (0 if overwrite else os.O_EXCL)
    try:
        os.close(os.open(path, flags, 0o666))
    except FileExistsError:
        raise SinkError(
            f"{path} exists by now; choose another name, or pass --overwrite to replace it"
        ) from None
    except OSError as error:
        raise write_error(path, error) from error


def write_error(path: Path, error: Exception, kept: str = "") -> SinkError:
    """Return the error for people of a write that failed.

    Args:
        path: what was written to.
        error: what the system or FFmpeg said.
        kept: what is left of the output, such as ``"the film plays up to 3.2 s"``.
    """
    number = getattr(error, "errno", None)
    system = getattr(error, "strerror", None) or str(error)
    reason = f"{_FULL[number]} ({system})" if number in _FULL else system
    tail = f"; {kept}" if kept else ""
    return SinkError(f"can't write {path}: {reason}{tail}")


def _is_same_file(path: Path, source: str) -> bool:
    try:
        return path.samefile(source)
    except (OSError, ValueError):  # one of them is no file
        return False
