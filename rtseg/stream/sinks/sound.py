"""The sound of a recording: the source's own packets, or AAC where the file can't hold them."""

from __future__ import annotations

import io
import math
from fractions import Fraction
from typing import Any

import av

from rtseg.stream.audio import AudioPacket, AudioTrack
from rtseg.stream.sinks.movie_file import MovieFile
from rtseg.stream.sinks.sound_decoder import SoundDecoder

_MP4_CODECS = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"})
_MOV_CODECS = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s16be",
                         "pcm_s24le", "pcm_s24be", "pcm_mulaw", "pcm_alaw"})  # fmt: skip
_NEEDS_HEADER = frozenset({"aac", "opus", "flac", "alac", "vorbis"})
"""Codecs whose parameters stand apart from the packets; without them there is nothing to copy."""
_AAC_RATES = (48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)


class Sound:
    """The sound track of a film that is being written, or of several that follow one another.

    Make it before the source is read: it takes all that it needs from the source's stream, and
    then needs that no longer. The packets are copied as they are where the container holds their
    codec, else decoded and encoded as AAC.

    Packets from before a film's first picture are left out: no container but an edited one holds
    negative times.

    Args:
        suffix: of the films, such as ``".mp4"``.
        track: the source's sound; subscribed here.

    Raises:
        ValueError: neither way works for this codec.
    """

    def __init__(self, suffix: str, track: AudioTrack) -> None:
        self._kept = _kept_stream(suffix, track.template)
        self._time_base = Fraction(1, track.template.codec_context.sample_rate or 48000)
        self._coder = None if self._kept is not None else _Transcoder(track.template)
        self._movie: MovieFile | None = None
        self._stream: Any = None
        self._reader = track.subscribe()
        self._start_s, self._end_s = 0.0, math.inf
        self._last_ticks = -1

    @property
    def is_copied(self) -> bool:
        """Whether the packets are the source's own."""
        return self._coder is None

    @property
    def problem(self) -> str | None:
        """What people should know of the sound; None where it is all right."""
        decoder = self._coder.decoder if self._coder is not None else None
        if decoder is not None and decoder.num_packets and not decoder.num_frames:
            return "it can't be decoded"
        return None

    def begin(self, movie: MovieFile, start_s: float = 0.0) -> None:
        """Add the sound to a film that hasn't started; what follows goes there.

        Args:
            movie: the film.
            start_s: where its times begin on the source's clock, seconds.

        Raises:
            ValueError: the film can't hold it.
        """
        self._movie, self._last_ticks = movie, -1
        self._start_s, self._end_s = start_s, math.inf
        self._stream = (
            movie.container.add_stream_from_template(self._kept)
            if self._coder is None
            else self._coder.add_stream(movie)
        )

    def write_until(self, pts_s: float) -> None:
        """Write all that begins before `pts_s`, seconds on the source's clock.

        Raises:
            SinkError: the file can't be written.
        """
        for packet in self._reader.take_until(math.nextafter(pts_s, -math.inf)):
            if packet.pts_s >= self._start_s and packet.data:
                self._write(packet)

    def skip_until(self, pts_s: float) -> None:
        """Leave out all that begins before `pts_s`, seconds on the source's clock."""
        self._reader.take_until(math.nextafter(pts_s, -math.inf))

    def finish(self, end_s: float, *, last: bool = True) -> None:
        """Write all up to the film's end, seconds on the source's clock.

        Args:
            end_s: the end; what sounds longer is marked to end there as well, unless it is the
                source's end.
            last: no other film follows.

        Raises:
            SinkError: the file can't be written.
        """
        self._end_s = math.inf if last else end_s
        self.write_until(end_s)
        if self._coder is not None:
            for packet in self._coder.flush(last=last):
                packet.pts = packet.dts = self._shifted(packet)
                self._mux(packet)

    def _write(self, packet: AudioPacket) -> None:
        copied = av.Packet(packet.data)
        copied.time_base = self._time_base
        shift_s = self._start_s if self._coder is None else 0.0
        copied.pts = copied.dts = self._ticks(packet.pts_s - shift_s)
        copied.duration = round(packet.duration_s / self._time_base)
        copied.is_keyframe = True
        if self._coder is None:
            self._mux(copied)
            return
        for encoded in self._coder.feed(copied):
            encoded.pts = encoded.dts = self._shifted(encoded)
            self._mux(encoded)

    def _ticks(self, pts_s: float) -> int:
        self._last_ticks = max(round(pts_s / self._time_base), self._last_ticks + 1)
        return self._last_ticks

    def _shifted(self, packet: Any) -> int | None:
        """Return an encoded packet's time on the film's clock."""
        if packet.pts is None:
            return None
        shifted: int = packet.pts - round(self._start_s / packet.time_base)
        return shifted

    def _mux(self, packet: Any) -> None:
        assert self._movie is not None
        if packet.pts is None or packet.pts < 0:  # the encoder's lead-in
            return
        if math.isfinite(self._end_s):
            left = round((self._end_s - self._start_s) / packet.time_base) - packet.pts
            if left <= 0:
                return
            packet.duration = min(packet.duration or left, left)
        packet.stream = self._stream
        self._movie.mux(packet)


class _Transcoder:
    """Decodes packets and encodes them as AAC."""

    def __init__(self, template: Any) -> None:
        self.decoder = SoundDecoder(template)
        source = template.codec_context
        rate = source.sample_rate
        self._rate = min(_AAC_RATES, key=lambda allowed: (abs(allowed - rate), -allowed))
        self._layout = "mono" if source.layout.nb_channels == 1 else "stereo"
        self._stream: Any = None

    def add_stream(self, movie: MovieFile) -> Any:
        """Add the film's sound stream; its encoder takes over from the last film's."""
        self._resampler = av.AudioResampler(format="fltp", layout=self._layout, rate=self._rate)
        self._stream = movie.container.add_stream("aac", rate=self._rate, layout=self._layout)
        return self._stream

    def feed(self, packet: Any) -> list[Any]:
        """Return the AAC packets that a packet of the source completes."""
        return self._encode(self.decoder.decode(packet))

    def flush(self, *, last: bool) -> list[Any]:
        """Return the rest of the film, and where it is the last one, of the source as well."""
        if not self.decoder.num_frames:
            return []
        rest = self.decoder.decode(None) if last else []
        return [*self._encode([*rest, None]), *self._stream.encode(None)]

    def _encode(self, frames: list[Any]) -> list[Any]:
        return [
            packet
            for frame in frames
            for resampled in self._resampler.resample(frame)
            for packet in self._stream.encode(resampled)
        ]


def _kept_stream(suffix: str, template: Any) -> Any | None:
    """Return the stream's parameters in memory of their own; None where it can't be copied."""
    codec = _codec_name(template)
    if codec in _NEEDS_HEADER and not template.codec_context.extradata:
        return None
    kind = suffix.lower().removeprefix(".")
    never_written = av.open(io.BytesIO(), "w", format={"mkv": "matroska"}.get(kind, kind))
    holds = {"mp4": _MP4_CODECS, "mov": _MOV_CODECS}.get(kind, never_written.supported_codecs)
    return never_written.add_stream_from_template(template) if codec in holds else None


def _codec_name(template: Any) -> str:
    """Return the codec's name, not that of one of its decoders."""
    codec = template.codec_context.codec
    name = getattr(codec, "canonical_name", None) or codec.name.removeprefix("lib")
    return str(name).removesuffix("float")
