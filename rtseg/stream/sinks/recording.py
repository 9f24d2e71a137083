"""Recordings: H.264 with the source's times and sound, in files that play whatever happens."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rtseg.config import Config
from rtseg.frames import Picture
from rtseg.stream.sinks.kind import OutputSink, register
from rtseg.stream.sinks.movie_file import MOVIE_SUFFIXES
from rtseg.stream.sinks.recording_config import RecordingConfig
from rtseg.stream.sinks.segments.segmented_recording import SegmentedRecording
from rtseg.stream.sinks.sink import Sink, StreamInfo
from rtseg.stream.sinks.whole_recording import WholeRecording

__all__ = ["Recording", "RecordingConfig"]


@register("recording")
class Recording(OutputSink):
    """A film of the annotated pictures: one file, or segments where `segment_s` is set.

    It heeds `Controls.record`: pictures that come while recordings are off are left out.
    """

    outputs: ClassVar[str] = "FILE.mp4, FILE.mkv or FILE.mov"
    example: ClassVar[str] = "out.mp4"
    config_class: ClassVar[type[Config]] = RecordingConfig
    idle_s: ClassVar[float | None] = 0.5

    def __init__(
        self, output: str, config: Config | None = None, *, overwrite: bool = False
    ) -> None:
        self.name = output
        settings = config if isinstance(config, RecordingConfig) else RecordingConfig()
        self._way: Sink = (
            WholeRecording(output, settings, overwrite=overwrite)
            if settings.segment_s is None
            else SegmentedRecording(output, settings)
        )

    @classmethod
    def matches(cls, output: str) -> bool:
        """Return whether the output is named like a film."""
        return Path(output).suffix.lower() in MOVIE_SUFFIXES

    def open(self, info: StreamInfo) -> None:
        """Check the place and the encoder, and begin to listen to the source's sound.

        Raises:
            SinkError: the file may not be written, or no encoder works.
        """
        self._way.open(info)

    def write(self, picture: Picture) -> None:
        """Record a picture, and the sound up to it.

        Raises:
            SinkError: the disk is full, or the like; the file is closed and plays. Segments go on
                instead as soon as they can.
        """
        self._way.write(picture)

    def idle(self) -> None:
        """Look after what goes on without pictures."""
        self._way.idle()

    def close(self) -> None:
        """Finish the file.

        Raises:
            SinkError: the end could not be written; the file plays nevertheless.
        """
        self._way.close()

    def problems(self) -> list[str]:
        """Return lines about what isn't in the film, and what was changed to fit."""
        return self._way.problems()

    def notice(self) -> str | None:
        """Return a word while nothing can be recorded."""
        return self._way.notice()
