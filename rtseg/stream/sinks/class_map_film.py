"""Class maps as a film of grey pictures: FFV1 in Matroska, lossless, with the source's times."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from rtseg.frames import Labels, Picture
from rtseg.stream.sinks.destination import check_destination, write_error
from rtseg.stream.sinks.film_times import TIME_BASE, FilmTimes
from rtseg.stream.sinks.movie_file import MovieFile
from rtseg.stream.sinks.sink import Sink, StreamInfo

CLASSES_TAG = "RTSEG_CLASSES"
"""The film's tag that holds the class set as JSON."""

_OPTIONS = {"level": "3", "coder": "1", "context": "0", "slicecrc": "1"}
"""FFV1's own checksums tell a damaged picture; every picture stands for itself."""


class ClassMapFilm(Sink):
    """Writes ``FILE.mkv``, and ``FILE-2.mkv``, … for pictures of other sizes.

    Args:
        path: the first part.
        overwrite: replace what exists, the parts of an earlier run included.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self.name = str(path)
        self._path = path
        self._overwrite = overwrite
        self._movie: MovieFile | None = None
        self._hw = (0, 0)
        self._num_parts = 0

    def open(self, info: StreamInfo) -> None:
        """Check the place.

        Raises:
            SinkError: it can't be written to, or holds a part already.
        """
        for path in [self._path, *parts_of(self._path)[1:]]:
            check_destination(path, overwrite=self._overwrite, source=info.source.name)
        self._info = info
        self._times = FilmTimes(info.source.fps)

    def write(self, picture: Picture) -> None:
        """Write a picture's class map.

        Raises:
            SinkError: the disk is full, or the like; what was written before can be read.
        """
        labels = np.ascontiguousarray(picture.class_map.labels, dtype=np.uint8)
        pts = self._times.next(picture.frame.pts_s)
        if self._movie is None or labels.shape != self._hw:
            self._start_part(labels)
        frame = _grey_frame(labels)
        frame.pts, frame.time_base = pts, TIME_BASE
        self._encode(frame)

    def close(self) -> None:
        """Finish the film.

        Raises:
            SinkError: the end could not be written; what was written before can be read.
        """
        movie = self._movie
        if movie is None:
            return
        try:
            if movie.is_open:
                self._encode(None)
        finally:
            movie.close()

    def problems(self) -> list[str]:
        """Return a line where the pictures changed their size."""
        if self._num_parts < 2:
            return []
        last = part_path(self._path, self._num_parts)
        return [
            f"{self.name}: the pictures changed their size; the class maps go on in "
            f"{part_path(self._path, 2)}" + (f" to {last}" if self._num_parts > 2 else "")
        ]

    def _start_part(self, labels: Labels) -> None:
        if self._num_parts == 0:
            for stale in parts_of(self._path)[1:]:
                stale.unlink()
        self.close()
        self._num_parts += 1
        tags = {CLASSES_TAG: json.dumps(self._info.classes.to_dict())}
        path = part_path(self._path, self._num_parts)
        self._movie = MovieFile(path, live=self._info.source.live, metadata=tags)
        self._video: Any = self._movie.container.add_stream("ffv1")
        context = self._video.codec_context
        self._hw = context.height, context.width = labels.shape
        context.pix_fmt, context.time_base = "gray", TIME_BASE
        context.gop_size, context.thread_count = 1, 1
        context.options = _OPTIONS
        self._movie.start(overwrite=self._overwrite)

    def _encode(self, frame: Any) -> None:
        assert self._movie is not None
        try:
            packets = self._video.encode(frame)
        except FFmpegError as error:
            raise write_error(self._movie.path, error) from error
        for packet in packets:
            packet.duration = self._times.duration
            self._movie.mux(packet)


def _grey_frame(labels: Labels) -> Any:
    return av.VideoFrame.from_ndarray(labels, format="gray")


def part_path(path: Path, number: int) -> Path:
    """Return the path of a part of a film of class maps, counted from 1."""
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")


def parts_of(path: Path) -> list[Path]:
    """Return the parts that follow one another without a gap, the first in any case."""
    return [path, *_later_parts(path)]


def _later_parts(path: Path) -> Iterator[Path]:
    for number in count(2):
        part = part_path(path, number)
        if not part.is_file():
            return
        yield part
