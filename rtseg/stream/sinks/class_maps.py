"""Class maps as files, lossless: a film of grey pictures, or a folder of them."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rtseg.config import Config
from rtseg.errors import SinkError
from rtseg.frames import Picture
from rtseg.stream.sinks.class_map_film import ClassMapFilm
from rtseg.stream.sinks.class_map_folder import ClassMapFolder
from rtseg.stream.sinks.kind import OutputSink, register
from rtseg.stream.sinks.sink import Sink, StreamInfo

_FILES = {".mp4", ".mov", ".avi", ".webm", ".png", ".jpg", ".jpeg", ".npz", ".npy", ".jsonl"}


@register("class-maps")
class ClassMapSink(OutputSink):
    """Writes the class ids of each picture; reading them back gives the very arrays.

    ``FILE.mkv`` is a film in FFV1, 8-bit grey, with the source's times. Where the pictures change
    their size it goes on in a part of its own: FILE-2.mkv, …. A folder gets ``%06d.png``, 8-bit
    grey, numbered by the frame's index, and their times in ``times.jsonl``.

    `read_class_maps` reads both. The names and colours of the classes are in the film's tag
    ``RTSEG_CLASSES``, or in ``classes.json``.
    """

    outputs: ClassVar[str] = "FILE.mkv or FOLDER (--masks)"
    example: ClassVar[str] = "masks.mkv"

    def __init__(
        self, output: str | Path, config: Config | None = None, *, overwrite: bool = False
    ) -> None:
        self.name = str(output)
        path = Path(output)
        is_film = path.suffix.lower() == ".mkv" and not path.is_dir()
        writer = ClassMapFilm if is_film else ClassMapFolder
        self._writer: Sink = writer(path, overwrite=overwrite)
        self._is_named_well = path.is_dir() or path.suffix.lower() not in _FILES

    @classmethod
    def matches(cls, output: str) -> bool:
        """Return False: class maps have a flag of their own, as FILE.mkv is a recording else."""
        return False

    def open(self, info: StreamInfo) -> None:
        """Check the place.

        Raises:
            SinkError: it is named like something else, can't be written to, or holds class maps.
        """
        if not self._is_named_well:
            raise SinkError(
                f"class maps go to FILE.mkv or a folder, which keep them as they are; "
                f"got {self.name}"
            )
        self._writer.open(info)

    def write(self, picture: Picture) -> None:
        """Write a picture's class map.

        Raises:
            SinkError: the disk is full, or the like; what was written before can be read.
        """
        self._writer.write(picture)

    def close(self) -> None:
        """Finish the file.

        Raises:
            SinkError: the end could not be written; what was written before can be read.
        """
        self._writer.close()

    def problems(self) -> list[str]:
        """Return a line where the film is in several parts."""
        return self._writer.problems()
