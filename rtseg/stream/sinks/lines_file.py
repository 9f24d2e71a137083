"""A file of JSON lines, each of which is whole whatever happens to its writer."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rtseg.stream.sinks.destination import write_error


class LinesFile:
    """JSON lines; each goes to the system in one write, so that a kill finds whole lines alone.

    Args:
        path: the file, made at once.
        overwrite: it may exist, and is emptied then.

    Raises:
        SinkError: it exists, or can't be made.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self.path = path
        how = os.O_TRUNC if overwrite else os.O_EXCL
        try:
            self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | how, 0o666)
        except OSError as error:
            raise write_error(path, error) from error
        self._closed = False

    def append(self, values: Mapping[str, Any]) -> None:
        """Write a line.

        Raises:
            SinkError: the disk is full, or the like; what was written of the line is taken back.
        """
        rest = (json.dumps(values, allow_nan=False) + "\n").encode()
        start = os.fstat(self._file).st_size
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            os.ftruncate(self._file, start)
            raise write_error(self.path, error, "the lines before are whole") from error

    def sync(self) -> None:
        """Have the lines on the disk when this returns.

        Raises:
            OSError: the disk failed.
        """
        if not self._closed:
            os.fsync(self._file)

    def close(self) -> None:
        """Close the file; it can be closed twice."""
        if not self._closed:
            self._closed = True
            os.close(self._file)
