"""The camera's own stream on disk, as it came: nothing is decoded or encoded."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from rtseg.errors import SinkError
from rtseg.stream.audio import AudioTrack
from rtseg.stream.packets import CAN_COPY, PacketTrack, StreamParameters, VideoPacket
from rtseg.stream.sinks.destination import write_error
from rtseg.stream.sinks.movie_file import MovieFile
from rtseg.stream.sinks.segments.segment_names import RAW_SUFFIX
from rtseg.stream.sinks.sink import StreamInfo
from rtseg.stream.sinks.sound import Sound

_TIME_BASE = Fraction(1, 90_000)
_OPTIONS = {"avoid_negative_ts": "disabled"}
"""Pictures keep their times also where the first one is decoded before it is shown."""


class RawFilm:
    """One Matroska file of compressed pictures, from a key frame on; its times begin with 0.

    Args:
        path: the file.
        first: the key frame that it begins with, not written yet.
        sound: the source's sound, if it is to be in it.
        live: it may go on for weeks (see `MovieFile`).
        overwrite: replace a file that exists.
        tags: tags of the whole file.

    Raises:
        SinkError: the file exists or can't be written; none is left then.
    """

    def __init__(
        self,
        path: Path,
        first: VideoPacket,
        sound: Sound | None,
        *,
        live: bool,
        overwrite: bool,
        tags: Mapping[str, str],
    ) -> None:
        self.path = path
        self.start_s = first.pts_s
        self.parameters: StreamParameters = first.parameters
        self.num_pictures = 0
        self.movie = MovieFile(path, live=live, metadata=tags, options=_OPTIONS)
        template = first.parameters.template
        try:
            self._stream: Any = self.movie.container.add_stream_from_template(template, opaque=True)
            if sound is not None:
                sound.begin(self.movie, self.start_s)
        except (FFmpegError, ValueError) as error:
            raise write_error(path, error) from error
        self._sound = sound
        self._last_dts = -(2**62)
        self.movie.start(overwrite=overwrite)

    def write(self, packet: VideoPacket) -> None:
        """Write a compressed picture, and the sound up to it.

        Raises:
            SinkError: the disk is full, or the like; the file is closed and plays.
        """
        if packet.pts_s < self.start_s:  # shown before the key frame that it needs
            return
        if self._sound is not None:
            self._sound.write_until(packet.pts_s)
        copied = av.Packet(packet.data)
        copied.time_base = _TIME_BASE
        copied.pts = round((packet.pts_s - self.start_s) / _TIME_BASE)
        dts = round((packet.dts_s - self.start_s) / _TIME_BASE)
        self._last_dts = copied.dts = max(min(dts, copied.pts), self._last_dts + 1)
        copied.pts = max(copied.pts, copied.dts)
        copied.duration = round(packet.duration_s / _TIME_BASE)
        copied.is_keyframe = packet.is_key
        copied.stream = self._stream
        self.movie.mux(copied)
        self.num_pictures += 1

    def sync(self) -> None:
        """Have what was written so far on the disk when this returns.

        Raises:
            OSError: the disk failed.
        """
        if self.movie.lock is not None:
            self.movie.lock.sync()

    def finish(self, end_s: float, *, last: bool) -> None:
        """Write the rest of the sound.

        Args:
            end_s: where the next file begins, seconds on the source's clock.
            last: there is none.

        Raises:
            SinkError: it can't be written; what is there plays.
        """
        if self._sound is not None and self.movie.is_open:
            self._sound.finish(end_s, last=last)


class RawRecording:
    """Writes a source's packets into files that begin where they are told to.

    Args:
        info: the stream, whose source has compressed pictures.
        audio: the source's sound, if it is to be kept.
        next_path: says where a file that begins with this key frame goes.
        ended: takes every file that is complete but not closed yet.
        live: a file may go on for weeks (see `MovieFile`).
        overwrite: replace files that exist.
    """

    def __init__(
        self,
        info: StreamInfo,
        audio: AudioTrack | None,
        next_path: Callable[[VideoPacket], Path],
        ended: Callable[[RawFilm], None],
        *,
        live: bool,
        overwrite: bool = False,
    ) -> None:
        self._reader = packet_track(info).subscribe()
        self._sound = _sound_of(audio)
        self._next_path, self._ended = next_path, ended
        self._live, self._overwrite = live, overwrite
        self._title = Path(info.source.name).name
        self._cut_s = 0.0
        self._end_s = 0.0
        self.film: RawFilm | None = None

    @property
    def num_lost(self) -> int:
        """Packets that came faster than they could be written."""
        return self._reader.num_lost

    def cut_at(self, pts_s: float) -> None:
        """Have a new file begin with the first key frame at or after a time."""
        self._cut_s = pts_s

    def write(self) -> None:
        """Write all packets that have come.

        Raises:
            SinkError: the disk is full, or the like; the file plays.
        """
        for packet in self._reader.take():
            self._write(packet)

    def skip(self) -> None:
        """End the file, and leave out what has come; the next key frame begins a new one."""
        self._reader.skip()
        if self._sound is not None:
            self._sound.skip_until(math.inf)
        self._end()

    def finish(self) -> None:
        """Write the rest, and end the file.

        Raises:
            SinkError: it can't be written; what is there plays.
        """
        try:
            self.write()
        finally:
            self._end(last=True)

    def _write(self, packet: VideoPacket) -> None:
        film = self.film
        if film is not None and packet.is_key:
            is_cut = film.start_s < self._cut_s <= packet.pts_s
            if is_cut or not film.parameters.same_as(packet.parameters):
                self._end(packet.pts_s)
        if self.film is None:
            if not packet.is_key:
                return
            self.film = self._begin(packet)
        try:
            self.film.write(packet)
        except SinkError:
            self.skip()
            raise

    def _begin(self, packet: VideoPacket) -> RawFilm:
        path = self._next_path(packet)
        tags = {
            "title": self._title,
            "comment": "recorded by rtseg as it came",
            "RTSEG_START_S": f"{packet.pts_s:.6f}",
        }
        if self._sound is not None:
            self._sound.skip_until(packet.pts_s)
        return RawFilm(
            path, packet, self._sound, live=self._live, overwrite=self._overwrite, tags=tags
        )

    def _end(self, end_s: float = math.inf, *, last: bool = False) -> None:
        film, self.film = self.film, None
        if film is None:
            return
        try:
            film.finish(end_s, last=last)
        finally:
            self._ended(film)


def packet_track(info: StreamInfo) -> PacketTrack:
    """Return the source's compressed pictures.

    Raises:
        SinkError: it has none, or the installed PyAV can't copy them.
    """
    if not CAN_COPY:
        raise SinkError(
            f"--record-raw needs PyAV 14.2 or later, and {av.__version__} is installed: "
            "pip install -U av"
        )
    if info.source.packets is None:
        raise SinkError(
            f"{info.source.name} gives pictures, not a compressed stream that could be kept as it "
            "is: leave --record-raw out; network streams and video files have one"
        )
    return info.source.packets


def raw_path(output: Path, number: int = 1) -> Path:
    """Return where the raw twin of an unsegmented recording is, and the later parts of it."""
    tail = "" if number == 1 else f"-{number}"
    return output.with_name(f"{output.stem}-raw{tail}{RAW_SUFFIX}")


def _sound_of(audio: AudioTrack | None) -> Sound | None:
    """Return the sound: as it is, or as AAC where Matroska doesn't hold its codec."""
    if audio is None:
        return None
    try:
        return Sound(RAW_SUFFIX, audio)
    except (FFmpegError, ValueError):
        return None
