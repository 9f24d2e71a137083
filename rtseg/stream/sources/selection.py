"""The part of a source that is wanted: start, end, stride, number of frames, repetitions."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import replace

from rtseg.errors import SourceError
from rtseg.frames import Frame
from rtseg.stream.audio import AudioPacket
from rtseg.stream.sources.capture import TIME_TOLERANCE_S, Capture, Shot
from rtseg.stream.sources.settings import SourceConfig
from rtseg.stream.sources.source import Source, SourceInfo

_STALE_NS = 200_000_000
"""A live picture that waited longer than this for the first read is left out: it shows the past."""
_UNKNOWN_FRAME_S = 0.04
"""How long the last frame of a pass is shown where the source doesn't know its frame rate."""


class Selection(Source):
    """The wanted frames of a capture, numbered from 0, timed from the first of them.

    Played again, the times go on where they ended, and so does the sound, which also runs on
    through the frames that a stride leaves out.

    Args:
        capture: where the pictures come from; closed with this source.
        config: which are wanted.

    Raises:
        SourceError: there is no frame at or after `start_s`, or a live source is to be played
            again.
    """

    def __init__(self, capture: Capture, config: SourceConfig) -> None:
        self._capture = capture
        self._config = config
        self._passes_left = _passes(config)
        if capture.live and self._passes_left > 1:
            raise SourceError(f"{capture.name} is live and can't be played again: leave out loop")
        self._index = 0
        self._ended = False
        self.reception = capture.reception
        self._final_problems: list[str] | None = None
        self._last_s = 0.0  # of the frame delivered last, on this source's clock
        self._sound: deque[AudioPacket] = deque()  # met, but later than the last frame
        self._sound_s = -math.inf  # of the packet handed over last
        self._base_s = 0.0  # where this pass begins on this source's clock
        self._end_s = math.inf if config.end_s is None else config.end_s - TIME_TOLERANCE_S
        self._begin_pass()
        self._held: float | None = self._first_grab()
        self._opened_ns = time.monotonic_ns()
        self.info = SourceInfo(
            name=capture.name,
            hw=capture.hw,
            fps=capture.fps / config.stride if capture.fps else None,
            live=capture.live,
            num_frames=_num_frames(capture, config),
            audio=capture.audio,
            truth_classes=capture.truth_classes,
            packets=capture.packets,
        )

    def read(self) -> Frame | None:
        """Return the next wanted frame; None at the end."""
        while not self._ended and (pts_s := self._grab_wanted()) is not None:
            shot = self._capture.retrieve()
            if shot is not None:
                return self._frame(pts_s, shot)
        self._ended = True
        return None

    def take_replaced(self) -> int:
        """Return how many frames were left out for newer ones, since the last call."""
        return self._capture.take_replaced()

    def interrupt(self) -> None:
        """End a read that waits, and all later ones."""
        self._ended = True
        self._capture.interrupt()

    def close(self) -> None:
        """Release the device or file."""
        self._ended = True
        if self._final_problems is None:  # an open file is needed to tell what it lacks
            self._final_problems = self._capture.problems()
        self._capture.close()

    def problems(self) -> list[str]:
        """Return what the capture has to tell; also after `close`."""
        if self._final_problems is None:
            return self._capture.problems()
        return self._final_problems

    def _begin_pass(self) -> None:
        self._passes_left -= 1
        self._position = 0  # of the next grabbed frame among those between start and end
        self._first_s: float | None = None  # of the pass's first delivered frame, capture's clock
        self._grabbed_s = 0.0  # of the frame grabbed last, capture's clock

    def _first_grab(self) -> float:
        start_s, live = self._config.start_s, self._capture.live
        if start_s and not live:
            self._capture.rewind(start_s)
        pts_s = self._capture.grab()
        if pts_s is None:
            which = f"frame at or after start_s = {start_s:g} s" if start_s else "frame"
            raise SourceError(f"{self._capture.name} holds no {which}")
        return pts_s

    def _grab(self) -> float | None:
        """Grab a frame, or return the one that was grabbed when the source was opened."""
        held, self._held = self._held, None
        stale = self._capture.live and time.monotonic_ns() - self._opened_ns > _STALE_NS
        return self._capture.grab() if held is None or stale else held

    def _grab_wanted(self) -> float | None:
        """Grab the next wanted frame; return its time on the capture's clock."""
        config = self._config
        if self._index == config.max_frames:
            self._finish_sound(self._grabbed_s + self._frame_s)
            return None
        while True:
            pts_s = self._grab()
            if pts_s is None or pts_s >= self._end_s:
                self._finish_sound(math.inf if pts_s is None else self._end_s)
                if not self._play_again():
                    return None
            elif pts_s >= config.start_s - TIME_TOLERANCE_S:
                self._grabbed_s = pts_s
                self._position += 1
                if (self._position - 1) % config.stride == 0:
                    return pts_s

    def _play_again(self) -> bool:
        """Go back to the start; return False where the source is to end, or held no frame."""
        if self._passes_left < 1 or self._first_s is None:
            return False
        self._base_s += self._grabbed_s - self._first_s + self._frame_s
        self._begin_pass()
        self._capture.rewind(self._config.start_s)
        return True

    @property
    def _frame_s(self) -> float:
        return 1 / self._capture.fps if self._capture.fps else _UNKNOWN_FRAME_S

    def _frame(self, pts_s: float, shot: Shot) -> Frame:
        if self._first_s is None:
            self._first_s = pts_s
        self._pass_sound(pts_s + self._frame_s)
        self._pass_packets(self._first_s)
        self._last_s = max(self._last_s, self._base_s + pts_s - self._first_s)
        self._index += 1
        return Frame(
            image_bgr=shot.image_bgr,
            index=self._index - 1,
            pts_s=self._last_s,
            captured_ns=shot.captured_ns,
            source=self._capture.name,
            truth=shot.truth,
        )

    def _finish_sound(self, end_s: float) -> None:
        """Hand over the sound up to the end of this pass, infinity for the source's own end."""
        track = self._capture.audio
        if track is not None and track.wanted and self._first_s is not None:
            if math.isfinite(end_s):
                self._capture.read_audio_until(end_s)
            self._pass_sound(end_s)
        self._sound.clear()

    def _pass_sound(self, end_s: float) -> None:
        """Hand over the sound that begins before `end_s`, shifted to this source's clock."""
        track, first_s = self._capture.audio, self._first_s
        if track is None or first_s is None:
            return
        packets = self._capture.take_audio()
        if not track.wanted:
            return
        self._sound.extend(packets)
        while self._sound and self._sound[0].pts_s < end_s:
            packet = self._sound.popleft()
            pts_s = packet.pts_s - first_s + self._base_s
            if packet.pts_s + packet.duration_s > first_s and pts_s > self._sound_s:
                self._sound_s = pts_s
                track.put(AudioPacket(packet.data, pts_s, packet.duration_s))

    def _pass_packets(self, first_s: float) -> None:
        """Hand over the compressed pictures that came, shifted to this source's clock."""
        track = self._capture.packets
        if track is None:
            return
        shift_s = self._base_s - first_s
        for packet in self._capture.take_packets(wanted=track.wanted):
            pts_s, dts_s = packet.pts_s + shift_s, packet.dts_s + shift_s
            track.put(replace(packet, pts_s=pts_s, dts_s=dts_s))


def _passes(config: SourceConfig) -> float:
    """Return how many times the source is played."""
    if isinstance(config.loop, bool):
        return math.inf if config.loop else 1
    return config.loop


def _num_frames(capture: Capture, config: SourceConfig) -> int | None:
    """Return how many frames will be delivered, as far as the source knows its own number."""
    if capture.num_frames is None:
        return config.max_frames if capture.endless else None
    total: float = capture.num_frames
    if capture.fps and config.end_s is not None:
        total = min(total, math.ceil((config.end_s - TIME_TOLERANCE_S) * capture.fps))
    if capture.fps:
        total -= math.ceil((config.start_s - TIME_TOLERANCE_S) * capture.fps)
    total = max(1, math.ceil(total / config.stride)) * _passes(config)
    total = min(total, config.max_frames or math.inf)
    return None if math.isinf(total) else int(total)
