"""A recording in one file."""

from __future__ import annotations

from pathlib import Path

from av.error import FFmpegError

from rtseg.frames import Picture
from rtseg.stream.audio import AudioTrack
from rtseg.stream.packets import VideoPacket
from rtseg.stream.sinks.destination import check_destination
from rtseg.stream.sinks.encoder import EncoderSettings, choose_encoder
from rtseg.stream.sinks.labelled_film import FilmSettings, LabelledFilm
from rtseg.stream.sinks.recording_config import RecordingConfig
from rtseg.stream.sinks.recording_switch import RecordingSwitch
from rtseg.stream.sinks.segments.raw_recording import RawFilm, RawRecording, raw_path
from rtseg.stream.sinks.sink import Sink, StreamInfo
from rtseg.stream.sinks.sound import Sound


class WholeRecording(Sink):
    """A film of the annotated pictures, and beside it the camera's own stream if asked for.

    Pictures of another size than the first are scaled into it, with black bars, and counted in
    `problems`. The file appears with the first picture; without any there is none.

    Args:
        output: the file.
        config: how it is made.
        overwrite: replace what exists.
    """

    def __init__(self, output: str, config: RecordingConfig, *, overwrite: bool) -> None:
        self.name = output
        self._path = Path(output)
        self._config = config
        self._overwrite = overwrite
        self._film: LabelledFilm | None = None
        self._sound: Sound | None = None
        self._raw: RawRecording | None = None
        self._num_raw = 0
        self._problems: list[str] = []

    def open(self, info: StreamInfo) -> None:
        """Check the place and the encoder, and begin to listen to the source's sound.

        Raises:
            SinkError: the file may not be written, or no encoder works.
        """
        check_destination(self._path, overwrite=self._overwrite, source=info.source.name)
        self._settings = film_settings(self._config, info, overwrite=self._overwrite)
        self._switch = RecordingSwitch(self.name, info.controls, info.events)
        audio = info.source.audio if self._config.audio else None
        if self._config.raw:
            check_destination(
                raw_path(self._path), overwrite=self._overwrite, source=info.source.name
            )
            self._raw = RawRecording(
                info, audio, self._next_raw, _close_raw, live=info.source.live,
                overwrite=self._overwrite,
            )  # fmt: skip
        self._sound = self._listen(audio)

    def write(self, picture: Picture) -> None:
        """Encode a picture, and the sound up to it.

        Raises:
            SinkError: the disk is full, or the like; the file is closed and plays.
        """
        if not self._switch.look():
            self._leave_out(picture.frame.pts_s)
            return
        self._write_raw()
        if self._film is None:
            self._film = LabelledFilm(self._path, self._settings, picture, self._sound)
            if self._film.sound_failure is not None:
                self._leave_out_sound(self._film.sound_failure)
        self._film.write(picture)

    def idle(self) -> None:
        """Write what the camera sent while no picture was finished."""
        if self._switch.look():
            self._write_raw()

    def close(self) -> None:
        """Finish the file.

        Raises:
            SinkError: the end could not be written; the file plays nevertheless.
        """
        raw, self._raw = self._raw, None
        try:
            if raw is not None:
                raw.finish()
        finally:
            self._close_film()

    def problems(self) -> list[str]:
        """Return lines about sound that is missing and pictures that were scaled."""
        lines = [*self._problems]
        if self._sound is not None and self._sound.problem is not None:
            lines.append(without_sound(self.name, self._sound.problem))
        if self._film is not None and self._film.num_refitted:
            lines.append(
                f"{self.name}: {self._film.num_refitted} pictures of another size than the first "
                "were scaled to its size"
            )
        return lines

    def _listen(self, audio: AudioTrack | None) -> Sound | None:
        if audio is None:
            return None
        try:
            return Sound(self._path.suffix, audio)
        except (FFmpegError, ValueError) as error:
            self._leave_out_sound(error)
            return None

    def _leave_out_sound(self, error: Exception) -> None:
        self._problems.append(without_sound(self.name, error))

    def _leave_out(self, pts_s: float) -> None:
        if self._sound is not None:
            self._sound.skip_until(pts_s)
        if self._raw is not None:
            self._raw.skip()

    def _write_raw(self) -> None:
        if self._raw is not None:
            self._raw.write()

    def _next_raw(self, _: VideoPacket) -> Path:
        self._num_raw += 1
        return raw_path(self._path, self._num_raw)

    def _close_film(self) -> None:
        if self._film is None:
            return
        try:
            self._film.finish()
        finally:
            self._film.close()


def film_settings(
    config: RecordingConfig, info: StreamInfo, *, overwrite: bool, live: bool | None = None
) -> FilmSettings:
    """Return what the films of a stream are like.

    Args:
        config: how they are made.
        info: the stream.
        overwrite: replace files that exist.
        live: a film may go on for weeks; None: as the source does.

    Raises:
        SinkError: no encoder works.
    """
    encoder = choose_encoder(config.encoder)
    tags = {
        "title": Path(info.source.name).name,
        "comment": f"labelled by rtseg: {info.engine}",
    }
    return FilmSettings(
        EncoderSettings(encoder, config.preset, config.crf, config.threads),
        keyframe_s=config.keyframe_s,
        fps=info.source.fps,
        live=info.source.live if live is None else live,
        overwrite=overwrite,
        tags=tags,
    )


def without_sound(name: str, reason: Exception | str) -> str:
    """Return the line for people about a recording without the source's sound."""
    return f"{name}: without the source's sound: {getattr(reason, 'strerror', None) or reason}"


def _close_raw(film: RawFilm) -> None:
    film.movie.close()
