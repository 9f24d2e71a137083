"""Recordings: H.264 with the source's times and sound, in a file that plays whatever happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from av.error import FFmpegError
from av.video.frame import PictureType
from pydantic import Field

from rtseg.config import Config
from rtseg.errors import SinkError
from rtseg.frames import Picture
from rtseg.stream.audio import AudioTrack
from rtseg.stream.sinks.canvas import Canvas
from rtseg.stream.sinks.destination import check_destination, write_error
from rtseg.stream.sinks.encoder import (
    EncoderName,
    EncoderSettings,
    Preset,
    choose_encoder,
    configure,
)
from rtseg.stream.sinks.film_times import TICKS_PER_S, TIME_BASE, FilmTimes
from rtseg.stream.sinks.kind import OutputSink, register
from rtseg.stream.sinks.movie_file import MOVIE_SUFFIXES, MovieFile
from rtseg.stream.sinks.sink import StreamInfo
from rtseg.stream.sinks.sound import Sound


class RecordingConfig(Config):
    """How recordings are made."""

    encoder: EncoderName = Field(
        default="auto",
        description="auto: libx264, or the first hardware encoder that opens where it is missing.",
    )
    preset: Preset = Field(
        default="veryfast",
        description="Speed against size, in x264's names; ultrafast takes 0.4 of veryfast's time "
        "and makes files twice as large.",
    )
    crf: float = Field(
        default=23.0,
        ge=0,
        le=51,
        description="Constant quality: 18 looks like the original, 23 is good, 28 is small.",
    )
    audio: bool = Field(default=True, description="Keep the source's sound.")
    keyframe_s: float = Field(
        default=1.0,
        gt=0,
        le=60,
        description="Seconds between pictures that a player can jump to.",
    )
    threads: int = Field(
        default=0,
        ge=0,
        le=64,
        description="Cores for the encoder; 0: a quarter of the machine's, at least one.",
    )


@register("recording")
class Recording(OutputSink):
    """A film of the annotated pictures.

    Pictures of another size than the first are scaled into it, with black bars, and counted in
    `problems`. The file appears with the first picture; without any there is none.
    """

    outputs: ClassVar[str] = "FILE.mp4, FILE.mkv or FILE.mov"
    example: ClassVar[str] = "out.mp4"
    config_class: ClassVar[type[Config]] = RecordingConfig

    def __init__(
        self, output: str, config: Config | None = None, *, overwrite: bool = False
    ) -> None:
        self.name = output
        self._path = Path(output)
        self._config = config if isinstance(config, RecordingConfig) else RecordingConfig()
        self._overwrite = overwrite
        self._movie: MovieFile | None = None
        self._sound: Sound | None = None
        self._canvas: Canvas | None = None
        self._num_refitted = 0
        self._problems: list[str] = []

    @classmethod
    def matches(cls, output: str) -> bool:
        """Return whether the output is named like a film."""
        return Path(output).suffix.lower() in MOVIE_SUFFIXES

    def open(self, info: StreamInfo) -> None:
        """Check the place and the encoder, and begin to listen to the source's sound.

        Raises:
            SinkError: the file may not be written, or no encoder works.
        """
        check_destination(self._path, overwrite=self._overwrite, source=info.source.name)
        config = self._config
        encoder = choose_encoder(config.encoder)
        self._settings = EncoderSettings(encoder, config.preset, config.crf, config.threads)
        self._info = info
        self._times = FilmTimes(info.source.fps)
        self._next_keyframe = 0
        self._set_up(info.source.audio if config.audio else None)

    def write(self, picture: Picture) -> None:
        """Encode a picture, and the sound up to it.

        Raises:
            SinkError: the disk is full, or the like; the file is closed and plays.
        """
        if self._canvas is None:
            self._canvas = self._start(picture)
        self._num_refitted += not self._canvas.fits(picture.image_bgr)
        pts = self._times.next(picture.frame.pts_s)
        if self._sound is not None:
            self._sound.write_until(pts / TICKS_PER_S)
        self._encode(self._frame(self._canvas, picture, pts))

    def close(self) -> None:
        """Finish the file.

        Raises:
            SinkError: the end could not be written; the file plays nevertheless.
        """
        if self._movie is None:
            return
        try:
            if self._movie.is_open:
                self._finish()
        finally:
            self._movie.close()

    def problems(self) -> list[str]:
        """Return lines about sound that is missing and pictures that were scaled."""
        lines = [*self._problems]
        if self._sound is not None and self._sound.problem is not None:
            lines.append(self._without_sound(self._sound.problem))
        if self._num_refitted:
            lines.append(
                f"{self.name}: {self._num_refitted} pictures of another size than the first were "
                "scaled to its size"
            )
        return lines

    def _set_up(self, audio: AudioTrack | None) -> None:
        """Make the film with its streams; the picture's size follows with the first one."""
        info = self._info
        tags = {
            "title": Path(info.source.name).name,
            "comment": f"labelled by rtseg: {info.engine}",
        }
        self._movie = MovieFile(self._path, live=info.source.live, metadata=tags)
        self._video: Any = self._movie.container.add_stream(self._settings.name)
        self._sound = None
        if audio is not None:
            try:
                self._sound = Sound(self._movie, audio)
            except (FFmpegError, ValueError) as error:
                self._leave_out_sound(error)

    def _start(self, picture: Picture) -> Canvas:
        hw = picture.image_bgr.shape[:2]
        canvas = Canvas((hw[0], hw[1]))
        try:
            self._start_movie(canvas)
        except SinkError as error:
            if self._sound is None:
                raise
            self._set_up(None)
            self._start_movie(canvas)  # raises again where the sound was not the reason
            self._leave_out_sound(error)
        return canvas

    def _start_movie(self, canvas: Canvas) -> None:
        assert self._movie is not None
        context = self._video.codec_context
        configure(context, self._settings, canvas.even_hw, self._info.source.fps)
        self._movie.start(overwrite=self._overwrite)

    def _leave_out_sound(self, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or str(error)
        self._problems.append(self._without_sound(reason))

    def _without_sound(self, reason: str) -> str:
        return f"{self.name}: without the source's sound: {reason}"

    def _frame(self, canvas: Canvas, picture: Picture, pts: int) -> Any:
        frame = canvas.frame(picture.image_bgr)
        frame.pts, frame.time_base = pts, TIME_BASE
        frame.pict_type = PictureType.NONE
        if pts >= self._next_keyframe:
            frame.pict_type = PictureType.I
            self._next_keyframe = pts + round(self._config.keyframe_s * TICKS_PER_S)
        return frame

    def _encode(self, frame: Any) -> None:
        assert self._movie is not None
        try:
            packets = self._video.encode(frame)
        except FFmpegError as error:
            raise write_error(self._path, error) from error
        for packet in packets:
            packet.duration = self._times.duration
            self._movie.mux(packet)

    def _finish(self) -> None:
        """Write what the encoders still hold, and the sound up to the last picture's end."""
        self._encode(None)
        if self._sound is not None:
            self._sound.write_until(self._times.end_s)
            self._sound.finish()
