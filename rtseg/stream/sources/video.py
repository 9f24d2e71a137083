"""Video files of any container and codec that PyAV decodes, and network streams."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import Any

import av
import av.error
from av.sidedata.sidedata import Type

from rtseg.stream.audio import AudioPacket, AudioTrack
from rtseg.stream.packets import PacketTrack, StreamParameters, VideoPacket
from rtseg.stream.sources._clock import FrameClock
from rtseg.stream.sources._container import open_container
from rtseg.stream.sources._film import Damage, Film
from rtseg.stream.sources._pixels import BgrConverter, square_wh, usable_aspect
from rtseg.stream.sources.capture import SOURCES, TIME_TOLERANCE_S, Capture, Shot
from rtseg.stream.sources.live.faults import DAMAGED, fault
from rtseg.stream.sources.oriented import Orientation
from rtseg.stream.sources.settings import SourceConfig
from rtseg.stream.sources.uri import NETWORK_SCHEMES, redact, scheme

DEFAULT_FPS = 25.0
"""For a film whose frames have no times and which names no rate."""
_HIGHEST_FPS = 1000
_NO_TIMES = 0x80
"""FFmpeg's AVFMT_NOTIMESTAMPS: times are made up from a nominal rate."""
_TIMES_RESTART = 0x200
"""FFmpeg's AVFMT_TS_DISCONT: times may start anew in the middle."""
_EARLIER_S = 4.0
"""How much earlier a second seek goes where the first one landed too late."""
_MATROSKA = "matroska,webm"
_CLAIMS_DURATION = (_MATROSKA, "flv")
"""Containers that say how long they are, but not how many frames they hold."""


@SOURCES.register("video")
class VideoCapture(Capture):
    """A film: a file, which waits for its reader, or a network stream, which doesn't.

    Pictures have square pixels, and are turned by the film's metadata where `rotate` is auto.
    The fields of interlaced pictures stay as they are. Pictures that can't be decoded are skipped
    and counted, and those that are damaged in part are delivered and counted.
    """

    def __init__(self, config: SourceConfig, read_timeout_s: float | None = None) -> None:
        self._config = config
        self._read_timeout_s = read_timeout_s or config.timeout_s
        self.name = redact(config.uri)
        self._damage = Damage()
        self._num_unconverted = 0
        self._frame: Any = None
        self._held: tuple[Any, float] | None = None
        self._kept: list[Film] = []
        self._film = self._open()
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    @classmethod
    def matches(cls, uri: str) -> bool:
        """Return whether `uri` is a path or a network stream."""
        return scheme(uri) in ("", *NETWORK_SCHEMES)

    @classmethod
    def may_be_live(cls, uri: str) -> bool:
        """Return whether `uri` is a network stream."""
        return scheme(uri) in NETWORK_SCHEMES

    @classmethod
    def open_live(cls, config: SourceConfig, read_timeout_s: float) -> Capture:
        """Open a network stream whose reads fail after a silence."""
        return cls(config, read_timeout_s)

    def grab(self) -> float | None:
        """Decode the next picture."""
        frame, time_s = self._held or self._next()
        self._held = None
        self._frame = frame
        self._grabbed_ns = time.monotonic_ns()
        return time_s if frame is not None else None

    def retrieve(self) -> Shot | None:
        """Convert the picture that was grabbed."""
        frame = self._frame
        if frame is None:
            return None
        if (frame.width, frame.height) != self._coded_wh:
            self._learn_shape(frame)
        try:
            image = self._converter.convert(frame, self._aspect)
        except (av.error.FFmpegError, ValueError, MemoryError):
            self._num_unconverted += 1
            return None
        image = self._orientation.apply(image)
        self.hw = image.shape[0], image.shape[1]
        return Shot(image, self._grabbed_ns if self.live else time.monotonic_ns())

    def rewind(self, start_s: float) -> None:
        """Go to the first picture at or after `start_s`, by a seek where that can be exact.

        Where the times of a joined transport stream start anew, a seek may land in a later part.
        """
        for early_s in (0.0, _EARLIER_S):
            if self._seek(max(0.0, start_s - early_s)) and self._land(start_s):
                return
        self._reopen()
        self._skip_to(start_s)

    def take_audio(self) -> list[AudioPacket]:
        """Return the packets of sound met since the last call."""
        packets, self._film.sound = self._film.sound, []
        return [
            AudioPacket(
                bytes(packet),
                self._clock.seconds(packet.pts, packet.time_base),
                float((packet.duration or 0) * packet.time_base),
            )
            for packet in packets
            if packet.pts is not None
        ]

    def take_packets(self, *, wanted: bool) -> list[VideoPacket]:
        """Return the compressed pictures met since the last call."""
        film, parameters = self._film, self._parameters
        film.keeps_pictures = wanted and parameters is not None
        pictures, film.pictures = film.pictures, []
        if not wanted or parameters is None:
            return []
        return [self._video_packet(packet, came_ns, parameters) for packet, came_ns in pictures]

    def read_audio_until(self, end_s: float) -> None:
        """Read on until the sound before `end_s` was met."""
        sound = self._film.sound_stream
        if sound is not None:
            self._film.read_sound(self._clock.ticks(end_s, sound.time_base))

    def interrupt(self) -> None:
        """End after the packet that is being waited for."""
        self._film.interrupt()

    def close(self) -> None:
        """Close the file or connection."""
        for film in (*self._kept, self._film):
            film.close()

    def problems(self) -> list[str]:
        """Return what is damaged and what is missing."""
        damage, lines = self._damage, []
        if num_lost := damage.lost + self._num_unconverted:
            lines.append(f"{self.name}: {num_lost} damaged places gave no picture")
        if damage.partly:
            lines.append(f"{self.name}: {damage.partly} frames are damaged in part")
        if self._saw_end and not self.live and self._film.is_whole and (missing := self._missing()):
            lines.append(f"{self.name} {missing}")
        return lines

    def _open(self) -> Film:
        config = self._config
        container = open_container(config.uri, config.timeout_s, self._read_timeout_s)
        kind = scheme(config.uri)
        is_file = not kind or (kind in ("http", "https") and (container.duration or 0) > 0)
        self.live = self.endless = not is_file
        read_timeout_s = self._read_timeout_s if kind else None
        try:
            return Film(self.name, container, self._damage, self.live, read_timeout_s)
        except BaseException:
            container.close()
            raise

    def _begin(self) -> None:
        """Decode the first picture, and learn from it what the film is like."""
        film, stream = self._film, self._film.stream
        rate = stream.average_rate or stream.guessed_rate
        self.fps = float(rate) if rate and 0 < rate <= _HIGHEST_FPS else self._config.fps
        self._clock = FrameClock(1 / (self.fps or DEFAULT_FPS))
        self._by_arrival = self.live and self._has_flag(_NO_TIMES)
        self.codec = stream.codec_context.name
        self._converter = BgrConverter(self.codec)
        self._saw_end = False
        self._coded_wh: tuple[int, int] | None = None
        self._aspect, self._orientation = Fraction(1), Orientation()
        self._held = self._next()
        frame = self._held[0]
        if frame is None:
            raise fault(DAMAGED, f"{self.name} holds no picture that can be decoded; it is damaged")
        self._learn_shape(frame)
        width, height = square_wh(frame.width, frame.height, self._aspect)
        self.hw = self._orientation.hw((height, width))
        self.num_frames = None if self.live else self._claimed_frames()
        if film.sound_stream is not None:
            self.audio = AudioTrack(film.sound_stream)
        self._next_packet_s = 0.0
        self._parameters = StreamParameters.of(stream)
        self.packets = PacketTrack() if self._parameters is not None else None

    def _video_packet(self, packet: Any, came_ns: int, parameters: StreamParameters) -> VideoPacket:
        time_base = packet.time_base
        pts = packet.pts if packet.pts is not None else packet.dts
        if self._by_arrival:
            pts_s = dts_s = self._clock.seconds(came_ns, Fraction(1, 10**9))
        elif pts is None:
            pts_s = dts_s = self._next_packet_s
        else:
            pts_s = self._clock.seconds(pts, time_base)
            dts_s = pts_s if packet.dts is None else self._clock.seconds(packet.dts, time_base)
        self._next_packet_s = pts_s + 1 / (self.fps or DEFAULT_FPS)
        return VideoPacket(
            data=bytes(packet),
            pts_s=pts_s,
            dts_s=dts_s,
            duration_s=float((packet.duration or 0) * time_base) if time_base else 0.0,
            is_key=packet.is_keyframe,
            parameters=parameters,
        )

    def _has_flag(self, flag: int) -> bool:
        return bool(int(self._film.container.format.flags) & flag)

    def _next(self) -> tuple[Any, float]:
        """Decode the next picture; return it with its time, None at the end."""
        frame = self._film.next_frame()
        if frame is None:
            self._saw_end = True
            return None, 0.0
        if self._by_arrival:
            return frame, self._clock.time_s(time.monotonic_ns(), Fraction(1, 10**9))
        return frame, self._clock.time_s(frame.pts, frame.time_base)

    def _learn_shape(self, frame: Any) -> None:
        """Find out how pictures of this size are to be stretched and turned."""
        stream, is_first = self._film.stream, self._coded_wh is None
        self._coded_wh = frame.width, frame.height
        # The container's word counts at first; later only the decoder sees what has changed.
        named = stream.sample_aspect_ratio if is_first else stream.codec_context.sample_aspect_ratio
        self._aspect = usable_aspect(named)
        if self._config.rotate == "auto":
            self._orientation = Orientation.of_display_matrix(_display_matrix(frame))

    def _seek(self, start_s: float) -> bool:
        """Go to a key frame before `start_s`; return False where that can't be done."""
        if not self._clock.is_anchored:
            return False
        self._clock.jumped()
        return self._film.seek(self._clock.ticks(start_s, self._film.stream.time_base))

    def _land(self, start_s: float) -> bool:
        """Go on to `start_s` after a seek; return False where it is not sure to be exact."""
        frame, time_s = self._next()
        if frame is None or frame.pts is None or not frame.key_frame:
            return False
        if time_s > start_s + TIME_TOLERANCE_S:
            return False
        self._held = frame, time_s
        self._skip_to(start_s)
        return self._held[0] is not None or not self._has_flag(_TIMES_RESTART)

    def _skip_to(self, start_s: float) -> None:
        held = self._held or self._next()
        while held[0] is not None and held[1] < start_s - TIME_TOLERANCE_S:
            held = self._next()
        self._held = held

    def _reopen(self) -> None:
        """Begin again from the first byte; the first film stays open for those who copy sound."""
        if self._film.sound_stream is not None and not self._kept:
            self._kept.append(self._film)
        else:
            self._film.close()
        self._held = None
        self._film = self._open()
        self._clock.jumped()

    def _claimed_frames(self) -> int | None:
        """Return how many frames the file says it holds; for progress only."""
        stream = self._film.stream
        if stream.frames > 0:
            return int(stream.frames)
        duration_s = self._claimed_s()
        return max(1, round(duration_s * self.fps)) if duration_s and self.fps else None

    def _claimed_s(self) -> float | None:
        container = self._film.container
        if container.duration is None or container.duration <= 0:
            return None
        claimed_s = container.duration / av.time_base
        if container.format.name == _MATROSKA:  # its duration is the time of the end
            claimed_s -= max(0, container.start_time or 0) / av.time_base
        return float(claimed_s)

    def _missing(self) -> str | None:
        """Return what a file that was read to its end lacks of what it claims."""
        film, claimed = self._film, self._film.stream.frames
        if claimed > film.num_packets:
            return f"claims {claimed} frames, but holds {film.num_packets}: it is cut off"
        claimed_s = self._claimed_s()
        if claimed or not claimed_s or film.container.format.name not in _CLAIMS_DURATION:
            return None
        held_s = film.end_s - max(0, film.container.start_time or 0) / av.time_base
        if held_s < claimed_s - max(1.0, 0.02 * claimed_s):
            return f"claims {claimed_s:.1f} s, but ends after {held_s:.1f} s: it is cut off"
        return None


def _display_matrix(frame: Any) -> bytes:
    """Return FFmpeg's display matrix of a picture, empty where it has none."""
    for data in frame.side_data:
        if data.type == Type.DISPLAYMATRIX:
            return bytes(data)
    return b""
