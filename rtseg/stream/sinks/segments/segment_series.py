"""Segments that follow one another: when one ends and the next begins, and what is in them."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from functools import partial
from pathlib import Path

from av.error import FFmpegError

from rtseg.errors import SinkError
from rtseg.frames import Picture
from rtseg.stream.audio import AudioTrack
from rtseg.stream.events import Event
from rtseg.stream.packets import VideoPacket
from rtseg.stream.sinks.recording_config import RecordingConfig
from rtseg.stream.sinks.segments.part_recovery import holds_pictures
from rtseg.stream.sinks.segments.publisher import Publisher
from rtseg.stream.sinks.segments.raw_recording import RawFilm, RawRecording
from rtseg.stream.sinks.segments.ring import Ring
from rtseg.stream.sinks.segments.segment import Segment, publish_film
from rtseg.stream.sinks.segments.segment_names import SegmentNames
from rtseg.stream.sinks.sink import StreamInfo
from rtseg.stream.sinks.sound import Sound
from rtseg.stream.sinks.whole_recording import film_settings, without_sound

_SHORTEST_S = 1.0
"""A segment isn't cut for its bytes, or another size of pictures, before."""
_SILENCE_S = 5.0
"""Without a picture for so long, a segment that is as old as it should get is finished."""


class SegmentSeries:
    """Films of a fixed length; no picture between them is lost or in both.

    Args:
        output: the recording as people name it.
        config: how the films are made; `segment_s` is set.
        info: the stream.
        names: of the files.
        ring: is told of finished segments.
        publisher: finishes them.

    Raises:
        SinkError: no encoder works, or the source has no stream that could be kept as it is.
    """

    def __init__(
        self,
        output: str,
        config: RecordingConfig,
        info: StreamInfo,
        names: SegmentNames,
        ring: Ring,
        publisher: Publisher,
    ) -> None:
        assert config.segment_s is not None
        self._output = output
        self._segment_s = config.segment_s
        self._info, self._names, self._ring = info, names, ring
        self._publisher = publisher
        self._settings = film_settings(config, info, overwrite=False, live=False)
        self._lines: list[str] = []
        self._segment: Segment | None = None
        self._number = self._num_raw = self._num_refitted = 0
        self._next_index: int | None = None
        self._last_ns, self._last_s = time.monotonic_ns(), 0.0
        self._is_large = False
        self._events: deque[Event] = deque(maxlen=256)
        audio = info.source.audio if config.audio else None
        self._raw = (
            RawRecording(info, audio, self._next_raw, self._publish_raw, live=False)
            if config.raw
            else None
        )
        self._sound = self._listen(audio)
        self._leave_events = info.events.listen(self._events.append)

    def take(self, picture: Picture) -> None:
        """Record a picture, in a new segment where it is time.

        Raises:
            SinkError: it can't be written.
        """
        pts_s = picture.frame.pts_s
        self._last_ns, self._last_s = picture.frame.captured_ns, pts_s
        if self._segment is not None:
            self._note_events(self._segment)
            if reason := self._cut_reason(self._segment, picture):
                self.end(reason, pts_s)
        if self._segment is None:
            self._segment = self._begin(picture)
        self._go_on(self._segment)
        self._segment.write(picture)
        self._next_index = self._segment.last_index + 1

    def go_on(self) -> None:
        """Look after the segment while no picture comes.

        Raises:
            SinkError: something can't be written.
        """
        segment = self._segment
        if segment is None:
            return
        self._go_on(segment)
        now_ns = time.monotonic_ns()
        silent_s, age_s = (now_ns - self._last_ns) / 1e9, (now_ns - segment.start_ns) / 1e9
        if silent_s > _SILENCE_S and age_s > self._segment_s:
            self.end("silence")

    def end(self, reason: str, at_s: float | None = None) -> None:
        """End the segment, if there is one, and have it published.

        Args:
            reason: one word for the sidecar.
            at_s: where the next one goes on, on the source's clock; None: with the last picture.

        Raises:
            SinkError: its end can't be written; it is published as far as it goes.
        """
        segment, self._segment = self._segment, None
        if segment is None:
            return
        try:
            here_s = segment.film.end_s if at_s is None else at_s
            segment.film.finish(None if reason == "end" else here_s)
            segment.film.movie.end()  # now, so that nothing of it is missing should the power go
        finally:
            self._num_refitted += segment.film.num_refitted
            self._publisher.do(partial(self._publish, segment, reason))

    def abandon(self) -> None:
        """End what is being written after an error, as far as that can be done."""
        with contextlib.suppress(SinkError):
            self.end("error")
        self._skip_raw()

    def skip(self, *, wanted: bool) -> None:
        """Leave out the sound and the raw pictures that came.

        Args:
            wanted: they would be recorded if that were possible; the next sidecar counts them.
        """
        if self._sound is not None:
            self._sound.skip_until(self._last_s)
        if not wanted:
            self._next_index = None
        self._skip_raw()

    def close(self) -> None:
        """End what is being written.

        Raises:
            SinkError: the end can't be written; it is published as far as it goes.
        """
        self._leave_events()
        try:
            if self._segment is not None:
                self._go_on(self._segment)
                if self._raw is not None:
                    self._raw.finish()
        finally:
            try:
                self.end("end")
            finally:
                self._skip_raw()

    def look_after(self) -> None:
        """Bring what was written to the disk, and keep within the room there is; any thread's.

        Raises:
            OSError: the disk failed, or the file is gone.
        """
        segment, written = self._segment, self._written()
        if segment is not None:
            segment.check()
            segment.sync()
        if self._raw is not None and (film := self._raw.film) is not None:
            film.sync()
        self._ring.tend(written)
        if segment is not None and segment is self._segment:
            taken = sum(path.stat().st_size for path in written if path.exists())
            self._is_large = taken > self._ring.share_bytes(written)

    def problems(self) -> list[str]:
        """Return lines about sound and sizes."""
        lines = [*self._lines]
        if self._sound is not None and self._sound.problem is not None:
            lines.append(without_sound(self._output, self._sound.problem))
        if self._num_refitted:
            lines.append(
                f"{self._output}: {self._num_refitted} pictures were scaled to their segment's size"
            )
        if self._raw is not None and self._raw.num_lost:
            lines.append(f"{self._output}: {self._raw.num_lost} raw packets could not be kept")
        return lines

    def _listen(self, audio: AudioTrack | None) -> Sound | None:
        if audio is None:
            return None
        try:
            return Sound(self._names.suffix, audio)
        except (FFmpegError, ValueError) as error:
            self._lines.append(without_sound(self._output, error))
            return None

    def _cut_reason(self, segment: Segment, picture: Picture) -> str | None:
        """Return why another segment is to begin with this picture, if it is."""
        seconds = picture.frame.pts_s - segment.start_s
        if seconds >= self._segment_s - 1e-6:
            return "length"
        if seconds < _SHORTEST_S:
            return None
        if not segment.film.fits(picture):
            return "resolution"
        return "room" if self._is_large else None

    def _begin(self, picture: Picture) -> Segment:
        frame = picture.frame
        self._number = max(self._number + 1, self._names.next_number())
        if self._sound is not None:
            self._sound.skip_until(frame.pts_s)
        missed = 0 if self._next_index is None else frame.index - self._next_index
        segment = Segment(
            self._names, self._number, self._info, self._settings, picture, self._sound, missed
        )
        if segment.film.sound_failure is not None:
            self._lines.append(without_sound(self._output, segment.film.sound_failure))
            self._sound = None
        self._is_large, self._num_raw = False, 0
        if self._raw is not None:
            self._raw.cut_at(frame.pts_s)
        return segment

    def _go_on(self, segment: Segment) -> None:
        """Write what came besides pictures."""
        self._note_events(segment)
        if self._raw is not None:
            self._raw.write()

    def _note_events(self, segment: Segment) -> None:
        while self._events:
            event = self._events.popleft()
            if event.kind != "segment":
                segment.note(event, self._time_of(event))

    def _time_of(self, event: Event) -> float:
        """Return when something happened on the stream's clock."""
        if not self._info.source.live:
            return self._last_s
        return max(self._last_s + (event.at_ns - self._last_ns) / 1e9, 0.0)

    def _written(self) -> list[Path]:
        segment, raw = self._segment, self._raw.film if self._raw is not None else None
        paths = list(segment.parts) if segment is not None else []
        return [*paths, raw.path] if raw is not None else paths

    def _publish(self, segment: Segment, reason: str) -> None:
        values = segment.publish(reason)
        self._ring.look()
        self._ring.tend(self._written())
        if values is not None:
            name = segment.path.name
            text = f"recorded {name}: {values['seconds']:.1f} s, {values['bytes'] / 1e6:.1f} MB"
            self._info.events.add("segment", text, level=logging.DEBUG, name=name, **values)

    def _next_raw(self, _: VideoPacket) -> Path:
        assert self._segment is not None
        self._num_raw += 1
        return self._names.path(self._segment.stem, "raw", part=True, take=self._num_raw)

    def _publish_raw(self, film: RawFilm) -> None:
        self._publisher.do(partial(_finish_raw, film, self._names, self._ring))

    def _skip_raw(self) -> None:
        if self._raw is not None:
            with contextlib.suppress(SinkError):
                self._raw.skip()


def _finish_raw(film: RawFilm, names: SegmentNames, ring: Ring) -> None:
    """Close a raw film and give it its name; an empty one is deleted."""
    try:
        with contextlib.suppress(SinkError):
            film.movie.end()
        part = names.read(film.path)
        if part is not None and holds_pictures(film.path):
            publish_film(film.movie, names.final(part))
        else:
            film.path.unlink(missing_ok=True)
        ring.look()
    finally:
        film.movie.release()
