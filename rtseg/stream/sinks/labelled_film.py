"""One film of annotated pictures while it is written: encoder, sound, and the source's times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from av.error import FFmpegError
from av.video.frame import PictureType

from rtseg.errors import SinkError
from rtseg.frames import Picture
from rtseg.stream.sinks.canvas import Canvas
from rtseg.stream.sinks.destination import write_error
from rtseg.stream.sinks.encoder import EncoderSettings, configure
from rtseg.stream.sinks.film_times import TICKS_PER_S, TIME_BASE, FilmTimes
from rtseg.stream.sinks.movie_file import MovieFile
from rtseg.stream.sinks.sound import Sound

_LONGEST_HELD = TICKS_PER_S // 4
"""A picture that lasts longer isn't held back until it is known how long exactly."""


@dataclass(frozen=True, slots=True)
class FilmSettings:
    """What a film is like.

    Args:
        encoder: how its pictures are encoded.
        keyframe_s: seconds between pictures that a player can jump to.
        fps: nominal rate of the source.
        live: it may go on for weeks (see `MovieFile`).
        overwrite: replace a file that exists.
        tags: tags of the whole file.
    """

    encoder: EncoderSettings
    keyframe_s: float
    fps: float | None
    live: bool
    overwrite: bool
    tags: Mapping[str, str]


class LabelledFilm:
    """A film that begins with its first picture; the file appears with it.

    Args:
        path: the file.
        settings: what it is like.
        first: the picture that it will begin with, not written yet; the others are scaled into
            its size, with black bars.
        sound: the source's sound, if it is to be in it.
        start_s: where the film's times begin on the source's clock, seconds.

    Raises:
        SinkError: the file exists or can't be written, or the encoder doesn't take the picture; no
            file is left then.
    """

    def __init__(
        self,
        path: Path,
        settings: FilmSettings,
        first: Picture,
        sound: Sound | None = None,
        start_s: float = 0.0,
    ) -> None:
        self.path = path
        self._settings = settings
        self._start_s = start_s
        self._times = FilmTimes(settings.fps)
        self._next_keyframe = 0
        self._held: Any = None
        self._finish_s: float | None = None
        self._canvas = Canvas((first.image_bgr.shape[0], first.image_bgr.shape[1]))
        self.num_pictures = self.num_refitted = 0
        self.sound: Sound | None = sound
        self.sound_failure: Exception | None = None
        """Why the sound that was to be in it isn't."""
        self._start()

    def fits(self, picture: Picture) -> bool:
        """Return whether a picture has the first one's size."""
        return self._canvas.fits(picture.image_bgr)

    def write(self, picture: Picture) -> None:
        """Encode a picture, and the sound up to it.

        Raises:
            SinkError: the disk is full, or the like; the file is closed and plays.
        """
        pts_s = picture.frame.pts_s
        pts = self._times.next(pts_s - self._start_s)
        if self.sound is not None:
            self.sound.write_until(pts / TICKS_PER_S + self._start_s)
        self._encode(self._frame(picture, pts))
        self.num_refitted += not self.fits(picture)
        self.num_pictures += 1

    def finish(self, end_s: float | None = None) -> None:
        """Write what the encoders still hold, and the sound up to the film's end.

        Args:
            end_s: where another film goes on, on the source's clock; None: the sound lasts as long
                as the last picture, and nothing follows.

        Raises:
            SinkError: it can't be written; what is there plays.
        """
        if not self.movie.is_open:
            return
        self._finish_s = end_s
        self._encode(None)
        if self._held is not None and end_s is not None:
            end = round((end_s - self._start_s) * TICKS_PER_S)
            self._held.duration = max(end - self._held.pts, 1)
        self._release_held()
        if self.sound is not None:
            self.sound.finish(self.end_s, last=end_s is None)

    def close(self) -> None:
        """Close the file after `finish`; it can be closed twice.

        Raises:
            SinkError: the end could not be written; the file plays nevertheless.
        """
        self.movie.close()

    @property
    def end_s(self) -> float:
        """When the last picture ends, seconds on the source's clock."""
        if self._finish_s is not None:
            return self._finish_s
        return self._start_s + self._times.end_s

    def _start(self) -> None:
        try:
            self._start_movie()
        except SinkError as error:
            if self.sound is None:
                raise
            self.sound, self.sound_failure = None, error
            self._start_movie()  # raises again where the sound was not the reason

    def _start_movie(self) -> None:
        settings = self._settings
        self.movie = MovieFile(self.path, live=settings.live, metadata=settings.tags)
        self._video: Any = self.movie.container.add_stream(settings.encoder.name)
        if self.sound is not None:
            try:
                self.sound.begin(self.movie, self._start_s)
            except (FFmpegError, ValueError) as error:
                self.sound, self.sound_failure = None, error
        context = self._video.codec_context
        configure(context, settings.encoder, self._canvas.even_hw, settings.fps)
        self.movie.start(overwrite=settings.overwrite)

    def _frame(self, picture: Picture, pts: int) -> Any:
        frame = self._canvas.frame(picture.image_bgr)
        frame.pts, frame.time_base = pts, TIME_BASE
        frame.pict_type = PictureType.NONE
        if pts >= self._next_keyframe:
            frame.pict_type = PictureType.I
            self._next_keyframe = pts + round(self._settings.keyframe_s * TICKS_PER_S)
        return frame

    def _encode(self, frame: Any) -> None:
        try:
            packets = self._video.encode(frame)
        except FFmpegError as error:
            raise write_error(self.path, error) from error
        for packet in packets:
            packet.duration = self._times.duration
            self._hold(packet)

    def _hold(self, packet: Any) -> None:
        """Write the packet before this one, which lasts until this one.

        So the last picture of a film lasts until the first one of the next film, and films that
        follow one another are together exactly as long as the drive.
        """
        if self._held is not None and self._held.pts is not None and packet.pts is not None:
            self._held.duration = max(packet.pts - self._held.pts, 1)
        self._release_held()
        if packet.duration <= _LONGEST_HELD:
            self._held = packet
        else:
            self.movie.mux(packet)

    def _release_held(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self.movie.mux(held)
