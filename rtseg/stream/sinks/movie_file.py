"""A film on disk that plays whenever its writer dies: fragmented MP4 and MOV, Matroska."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from rtseg.errors import SinkError
from rtseg.stream.sinks.destination import reserve, write_error
from rtseg.stream.sinks.fragments import cut_torn_tail
from rtseg.stream.sinks.segments.file_lock import FileLock

MOVIE_SUFFIXES = (".mp4", ".mov", ".mkv")

_FRAGMENT_US = 250_000
"""What is lost when the process dies is the fragment that is being filled: a quarter of a second
and a picture."""
_INTERLEAVE_US = 250_000
"""How long a picture waits for sound that is late."""
_MOVFLAGS = "empty_moov+default_base_moof+frag_keyframe+frag_discont"
_INDEX_AT_THE_END, _NO_INDEX = "+hybrid_fragmented", "+skip_trailer"
_CAN_ADD_INDEX = av.library_versions["libavformat"] >= (62, 0, 0)
"""FFmpeg 7.1 has the flag, but then writes an index in which there are no pictures."""


class MovieFile:
    """A film while it is written. The file appears with `start`, and grows with each fragment.

    MP4 and MOV are written in fragments. A film of limited length (`live` is False) is turned into
    an ordinary file when it is closed: its index goes behind the fragments, so that every player
    and editor knows its length and seeks in it. The index of an endless one would fill the memory;
    it stays in fragments. Matroska is written in clusters of the same length.

    Args:
        path: the file; its suffix is one of `MOVIE_SUFFIXES`.
        live: the film may go on for weeks.
        metadata: tags of the whole file.
        options: of FFmpeg's muxer, besides those that are always set.
    """

    def __init__(
        self,
        path: Path,
        *,
        live: bool,
        metadata: Mapping[str, str],
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.path = path
        self.lock: FileLock | None = None
        """Held from the start to the end, so that others see that the film is being written."""
        every_option = {**_muxer_options(path, live=live), **(options or {})}
        self.container: Any = av.open(str(path), "w", options=every_option)
        self.container.metadata.update(metadata)
        self._started = False
        self._closed = False

    def start(self, *, overwrite: bool) -> None:
        """Open the encoders of the streams that were added, and write the file's head.

        Raises:
            SinkError: the file exists or can't be written, or an encoder doesn't take its
                settings; no file is left then.
        """
        reserve(self.path, overwrite=overwrite)
        self._take_lock()
        try:
            self.container.start_encoding()
        except (FFmpegError, ValueError) as error:
            self._closed = True
            with contextlib.suppress(FFmpegError):
                self.container.close()
            self.path.unlink(missing_ok=True)
            self.release()
            raise write_error(self.path, error) from error
        self._started = True

    def mux(self, packet: Any) -> None:
        """Write an encoded packet.

        Raises:
            SinkError: the disk is full, or the like; the file is closed and plays up to here.
        """
        try:
            self.container.mux(packet)
        except FFmpegError as error:
            self._abandon()
            raise write_error(self.path, error, "what is there can be used") from error

    def close(self) -> None:
        """Finish the file; a film can be closed twice, and one that never started leaves none.

        Raises:
            SinkError: the end could not be written; the file plays nevertheless.
        """
        try:
            self.end()
        finally:
            self.release()

    def end(self) -> None:
        """Finish the file as `close` does, but keep the lock until `release`.

        Raises:
            SinkError: the end could not be written; the file plays nevertheless.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self.container.close()
        except FFmpegError as error:
            self._cut()
            raise write_error(self.path, error, "what is there can be used") from error

    def release(self) -> None:
        """Let others have the file."""
        lock, self.lock = self.lock, None
        if lock is not None:
            lock.release()

    @property
    def is_open(self) -> bool:
        """Whether packets can be written."""
        return self._started and not self._closed

    def _take_lock(self) -> None:
        try:
            self.lock = FileLock(self.path)
        except BlockingIOError:
            raise SinkError(
                f"{self.path} is being written by another process; choose another name"
            ) from None
        except OSError as error:
            raise write_error(self.path, error) from error

    def _abandon(self) -> None:
        """Close the file after a write that failed; FFmpeg need not complain again."""
        self._closed = True
        with contextlib.suppress(FFmpegError):
            self.container.close()
        self._cut()

    def _cut(self) -> None:
        if not self._started or not self.path.exists():
            return
        if self.path.suffix.lower() != ".mkv":
            cut_torn_tail(self.path)


def _muxer_options(path: Path, *, live: bool) -> dict[str, str]:
    options = {"flush_packets": "1", "max_interleave_delta": str(_INTERLEAVE_US)}
    if path.suffix.lower() == ".mkv":
        return {**options, "cluster_time_limit": str(_FRAGMENT_US // 1000)}
    return {
        **options,
        "movflags": _MOVFLAGS + _index_flag(live=live),
        "frag_duration": str(_FRAGMENT_US),
        # Without edit lists a track that begins late has its first picture moved to 0.
        "use_editlist": "1",
        "movie_timescale": "90000",
    }


def _index_flag(*, live: bool) -> str:
    if live:
        return _NO_INDEX
    return _INDEX_AT_THE_END if _CAN_ADD_INDEX else ""
