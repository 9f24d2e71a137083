"""A recording in segments that goes on for weeks: it keeps the newest, whatever the disk does."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from av.error import FFmpegError

from rtseg.frames import Picture
from rtseg.stream.events import Events
from rtseg.stream.sinks.destination import check_destination
from rtseg.stream.sinks.recording_config import RecordingConfig
from rtseg.stream.sinks.recording_pause import RecordingPause, is_full
from rtseg.stream.sinks.recording_switch import RecordingSwitch
from rtseg.stream.sinks.segments.part_recovery import recover_parts
from rtseg.stream.sinks.segments.publisher import Publisher
from rtseg.stream.sinks.segments.ring import Ring
from rtseg.stream.sinks.segments.segment_names import SegmentNames
from rtseg.stream.sinks.segments.segment_series import SegmentSeries
from rtseg.stream.sinks.sink import Sink, StreamInfo

_TEND_NS = 1_000_000_000
"""How often what was written is brought to the disk, and the room on it is looked after: what a
power cut takes is what came since."""
_MAX_TRIES = 8


class SegmentedRecording(Sink):
    """Films of a fixed length that follow one another without losing or doubling a picture.

    A write error never ends the stream: where the disk is full the oldest segments go and the
    recording goes on in a new one; else it pauses, tells so once, and tries again every few
    seconds.

    Args:
        output: what the segments are named after, such as ``"drive.mp4"``.
        config: how they are made; `segment_s` is set.
    """

    def __init__(self, output: str, config: RecordingConfig) -> None:
        self.name = output
        self._config = config
        self._names = SegmentNames(Path(output))
        keep_s = None if config.keep_hours is None else config.keep_hours * 3600
        self._ring = Ring(self._names, config.keep, keep_s)
        self._series: SegmentSeries | None = None
        self._publisher: Publisher | None = None
        self._pause: RecordingPause | None = None
        self._failure: OSError | None = None
        self._was_full = False
        self._next_tend_ns = 0

    def open(self, info: StreamInfo) -> None:
        """Check the place and the encoder, finish what a dead writer left, listen to the sound.

        Raises:
            SinkError: the folder may not be written to, no encoder works, or the source has no
                stream that could be kept as it is.
        """
        check_destination(Path(self.name), overwrite=True, source=info.source.name)
        self._events = info.events
        self._switch = RecordingSwitch(self.name, info.controls, info.events)
        self._pause = RecordingPause(self.name, info.events)
        self._recover(info.events)
        self._publisher = Publisher(self.name)
        self._series = SegmentSeries(
            self.name, self._config, info, self._names, self._ring, self._publisher
        )

    def write(self, picture: Picture) -> None:
        """Record a picture; where that can't be done now, it is left out and counted."""
        series, pause = self._parts()
        if not self._switch.look():
            self._rest(series)
            return
        if not self._may_try(pause):
            self._miss(series, pause)
            return
        error = self._failure_beside() or _attempt(partial(series.take, picture))
        if error is not None and self._makes_room_after(error, series):
            error = self._try_anew(picture, series)
        if error is not None:
            pause.begin(error)
            self._miss(series, pause)
            return
        if pause.end() and self._publisher is not None:
            self._publisher.do(partial(self._recover, self._events))
        self._tend(series)

    def idle(self) -> None:
        """Look after the segment while no picture comes."""
        series, pause = self._parts()
        if not self._switch.look():
            self._rest(series)
            return
        if pause.is_on:
            series.skip(wanted=True)
            return
        error = self._failure_beside() or _attempt(series.go_on)
        if error is not None and not self._makes_room_after(error, series):
            pause.begin(error)
        self._tend(series)

    def close(self) -> None:
        """Finish the last segment, and wait until all of them have their names."""
        publisher, self._publisher = self._publisher, None
        if publisher is None:
            return
        try:
            if self._series is not None:
                error = _attempt(self._series.close)
                if error is not None and self._pause is not None:
                    self._pause.begin(error)
        finally:
            publisher.close()

    def notice(self) -> str | None:
        """Return what a view shows while nothing is recorded against the user's will."""
        return None if self._pause is None else self._pause.notice()

    def problems(self) -> list[str]:
        """Return lines about sound, sizes and pauses."""
        lines = [] if self._series is None else self._series.problems()
        pause = None if self._pause is None else self._pause.problem()
        return lines if pause is None else [*lines, pause]

    def _recover(self, events: Events) -> None:
        """Finish what was left unfinished, by a dead writer or a disk that was gone."""
        for film in recover_parts(self._names):
            text = f"finished {film.name}, the recording of which was cut off"
            events.add("recovered", text, name=film.name)
        self._ring.look()

    def _parts(self) -> tuple[SegmentSeries, RecordingPause]:
        assert self._series is not None
        assert self._pause is not None
        return self._series, self._pause

    def _rest(self, series: SegmentSeries) -> None:
        """Record nothing because the user wants so."""
        _attempt(partial(series.end, "off"))
        series.skip(wanted=False)

    def _miss(self, series: SegmentSeries, pause: RecordingPause) -> None:
        pause.leave_out()
        series.skip(wanted=True)

    def _may_try(self, pause: RecordingPause) -> bool:
        """Return whether a picture can be recorded at the moment, as far as one can know."""
        if not pause.is_on:
            return True
        if not pause.may_try():
            return False
        return not self._was_full or self._ring.make_room(self._ring.needed_bytes)

    def _failure_beside(self) -> OSError | None:
        """Return what went wrong in the publisher's thread since the last call."""
        failure, self._failure = self._failure, None
        return failure

    def _makes_room_after(self, error: OSError, series: SegmentSeries) -> bool:
        """End the segment; return whether it can go on in a new one because there is room again."""
        series.abandon()
        self._was_full = is_full(error)
        return self._was_full and self._ring.make_room(self._ring.needed_bytes)

    def _try_anew(self, picture: Picture, series: SegmentSeries) -> OSError | None:
        for _ in range(_MAX_TRIES):
            error = _attempt(partial(series.take, picture))
            if error is None or not self._makes_room_after(error, series):
                break
        return error

    def _tend(self, series: SegmentSeries) -> None:
        now_ns = time.monotonic_ns()
        if now_ns >= self._next_tend_ns and self._publisher is not None:
            self._next_tend_ns = now_ns + _TEND_NS
            self._publisher.tend(partial(self._look_after, series))

    def _look_after(self, series: SegmentSeries) -> None:
        """Do what is due each second; the publisher's thread calls this."""
        try:
            series.look_after()
        except OSError as error:
            self._failure = error


def _attempt(work: Callable[[], None]) -> OSError | None:
    """Do something; return the error where it can't be done."""
    try:
        work()
    except OSError as error:
        return error
    except FFmpegError as error:
        return OSError(str(error))
    return None
