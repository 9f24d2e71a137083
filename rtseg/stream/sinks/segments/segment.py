"""One segment of a recording while it is written: its film and its sidecar."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

from rtseg.errors import SinkError
from rtseg.frames import Picture
from rtseg.stream.events import Event
from rtseg.stream.sinks.destination import write_error
from rtseg.stream.sinks.labelled_film import FilmSettings, LabelledFilm
from rtseg.stream.sinks.movie_file import MovieFile
from rtseg.stream.sinks.segments.part_recovery import holds_pictures
from rtseg.stream.sinks.segments.segment_names import SegmentNames
from rtseg.stream.sinks.segments.sidecar import Sidecar, wall_time
from rtseg.stream.sinks.sink import StreamInfo
from rtseg.stream.sinks.sound import Sound
from rtseg.whole_file import sync_folder


class Segment:
    """A segment that begins with a picture, which isn't written yet.

    Args:
        names: of the recording's files.
        number: the segment's.
        info: the stream.
        settings: what its film is like.
        first: the picture.
        sound: the source's sound, if it is to be in it.
        missed: frames of the source since the last segment that aren't recorded.

    Raises:
        SinkError: a file can't be made; none is left then.
    """

    def __init__(
        self,
        names: SegmentNames,
        number: int,
        info: StreamInfo,
        settings: FilmSettings,
        first: Picture,
        sound: Sound | None,
        missed: int = 0,
    ) -> None:
        frame = first.frame
        self.number = number
        self.start_s = frame.pts_s
        self.start_ns = time.monotonic_ns()
        self._start_wall_s = time.time() - (time.monotonic_ns() - frame.captured_ns) / 1e9
        self.stem = names.stem(number, self._start_wall_s)
        self._names = names
        self.path = names.path(self.stem, "film")
        self._missed, self._next_index = missed, frame.index
        self.film = LabelledFilm(
            names.path(self.stem, "film", part=True), settings, first, sound, self.start_s
        )
        try:
            self.sidecar = Sidecar(names.path(self.stem, "sidecar", part=True))
            self.sidecar.describe(
                info, film=self.path.name, number=number, start_wall_s=self._start_wall_s,
                start_s=self.start_s,
            )  # fmt: skip
        except SinkError:
            self._throw_away()
            raise

    @property
    def parts(self) -> tuple[Path, Path]:
        """The files that are being written."""
        return self.film.path, self.sidecar.path

    @property
    def last_index(self) -> int:
        """Of the frame recorded last, or of the one before the first."""
        return self._next_index - 1

    def write(self, picture: Picture) -> None:
        """Record a picture.

        Raises:
            SinkError: the disk is full, or the like.
        """
        self.film.write(picture)
        self._missed += picture.frame.index - self._next_index
        self._next_index = picture.frame.index + 1

    def note(self, event: Event, pts_s: float) -> None:
        """Write an event to the sidecar.

        Raises:
            SinkError: the disk is full, or the like.
        """
        self.sidecar.note(event, pts_s)

    def check(self) -> None:
        """Make sure that the file is still where it should be.

        Raises:
            SinkError: it was removed, or its folder was.
        """
        if not self.film.path.exists():
            error = FileNotFoundError(2, os.strerror(2))
            raise write_error(self.film.path, error, "it was removed while it was written")

    def sync(self) -> None:
        """Have what was written so far on the disk when this returns.

        Raises:
            OSError: the disk failed.
        """
        lock = self.film.movie.lock
        if lock is not None:
            lock.sync()
        self.sidecar.sync()

    def publish(self, reason: str) -> dict[str, Any] | None:
        """Close the files and give them their names.

        Args:
            reason: why it ends, one word for the sidecar.

        Returns:
            The figures of the segment; None where there is no picture in it, and so no file.

        Raises:
            OSError: it keeps its name of a part; the next start finds it.
        """
        movie = self.film.movie
        try:
            with contextlib.suppress(SinkError):  # it plays without its index
                movie.end()
            if not holds_pictures(self.film.path):
                self._throw_away()
                return None
            values = self._end(reason)
            publish_film(movie, self.path)
            self.sidecar.sync()
            self.sidecar.close()
            self.sidecar.path.rename(self._names.path(self.stem, "sidecar"))
            with contextlib.suppress(PermissionError):  # file systems that can't sync a folder
                sync_folder(self._names.folder)
            return values
        finally:
            self.sidecar.close()
            movie.release()

    def _end(self, reason: str) -> dict[str, Any]:
        """Write the sidecar's last line; where the disk is full the film comes first."""
        seconds = self.film.end_s - self.start_s
        values = {
            "end": wall_time(self._start_wall_s + seconds),
            "end_s": round(self.film.end_s, 6),
            "seconds": round(seconds, 6),
            "frames": self.film.num_pictures,
            "missed": self._missed,
            "bytes": self.film.path.stat().st_size,
            "reason": reason,
        }
        with contextlib.suppress(SinkError):
            self.sidecar.end(values)
        return values

    def _throw_away(self) -> None:
        with contextlib.suppress(SinkError):
            self.film.close()
        for kind in ("film", "sidecar"):
            with contextlib.suppress(OSError):
                self._names.path(self.stem, kind, part=True).unlink(missing_ok=True)


def publish_film(movie: MovieFile, final: Path) -> None:
    """Have a finished film on the disk, and give it its name.

    Raises:
        OSError: it keeps its old name.
    """
    if movie.lock is not None:
        movie.lock.sync()
    movie.path.rename(final)
