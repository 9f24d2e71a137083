"""Class maps as a folder of grey pictures, numbered by the frame's index."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from rtseg.frames import Picture
from rtseg.stream.sinks.destination import check_destination, make_folder
from rtseg.stream.sinks.lines_file import LinesFile
from rtseg.stream.sinks.picture_file import write_picture, write_whole
from rtseg.stream.sinks.pictures import refuse_existing
from rtseg.stream.sinks.sink import Sink, StreamInfo

CLASSES_FILE = "classes.json"
"""Names and colours of the classes."""
TIMES_FILE = "times.jsonl"
"""A line for each picture: its file, the frame's index and its time in seconds."""
_PATTERN = "%06d.png"


class ClassMapFolder(Sink):
    """Writes ``FOLDER/%06d.png``, 8-bit grey, and who they are and when beside them.

    Args:
        folder: made where it is missing.
        overwrite: replace the class maps that are in it.
    """

    def __init__(self, folder: Path, *, overwrite: bool) -> None:
        self.name = str(folder)
        self._folder = folder
        self._overwrite = overwrite
        self._times: LinesFile | None = None

    def open(self, info: StreamInfo) -> None:
        """Make the folder, and write the classes.

        Raises:
            SinkError: it can't be written to, or holds class maps already.
        """
        make_folder(self._folder)
        times = self._folder / TIMES_FILE
        if not self._overwrite:
            refuse_existing(self._folder / _PATTERN)
        check_destination(times, overwrite=self._overwrite, source=info.source.name)
        classes = json.dumps(info.classes.to_dict(), indent=1)
        write_whole(self._folder / CLASSES_FILE, classes.encode())
        self._times = LinesFile(times, overwrite=self._overwrite)

    def write(self, picture: Picture) -> None:
        """Write a picture's class map.

        Raises:
            SinkError: the disk is full, or the like.
        """
        assert self._times is not None
        frame = picture.frame
        name = _PATTERN % frame.index
        write_picture(self._folder / name, np.asarray(picture.class_map.labels, np.uint8))
        self._times.append({"file": name, "index": frame.index, "pts_s": frame.pts_s})

    def close(self) -> None:
        """Close the list of times."""
        if self._times is not None:
            self._times.close()
