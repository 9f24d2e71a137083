"""The sound of a recording: the source's own packets, or AAC where the file can't hold them."""

from __future__ import annotations

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
    """The sound track of a film that is being written.

    Make it before the film starts and before the source is read: it takes all that it needs from
    the source's stream. The packets are copied as they are where the container holds their codec,
    else decoded and encoded as AAC.

    Packets from before the first picture are left out: no container but an edited one holds
    negative times.

    Args:
        movie: the film, before its start.
        track: the source's sound; subscribed here.

    Raises:
        ValueError: neither way works for this codec.
    """

    def __init__(self, movie: MovieFile, track: AudioTrack) -> None:
        self._movie = movie
        self._time_base = Fraction(1, track.template.codec_context.sample_rate or 48000)
        self._coder = None if _can_copy(movie, track.template) else _Transcoder(track.template)
        self._stream: Any = (
            movie.container.add_stream_from_template(track.template)
            if self._coder is None
            else self._coder.add_stream(movie)
        )
        self._reader = track.subscribe()
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

    def write_until(self, pts_s: float) -> None:
        """Write all that begins before `pts_s`, seconds on the source's clock.

        Raises:
            SinkError: the file can't be written.
        """
        for packet in self._reader.take_until(math.nextafter(pts_s, -math.inf)):
            if packet.pts_s >= 0 and packet.data:
                self._write(packet)

    def finish(self) -> None:
        """Write what the encoder still holds."""
        if self._coder is not None:
            for packet in self._coder.flush():
                self._mux(packet)

    def _write(self, packet: AudioPacket) -> None:
        copied = av.Packet(packet.data)
        copied.time_base = self._time_base
        copied.pts = copied.dts = self._ticks(packet.pts_s)
        copied.duration = round(packet.duration_s / self._time_base)
        copied.is_keyframe = True
        if self._coder is None:
            self._mux(copied)
            return
        for encoded in self._coder.feed(copied):
            self._mux(encoded)

    def _ticks(self, pts_s: float) -> int:
        self._last_ticks = max(round(pts_s / self._time_base), self._last_ticks + 1)
        return self._last_ticks

    def _mux(self, packet: Any) -> None:
        if packet.pts is None or packet.pts < 0:  # the encoder's lead-in
            return
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
        self._resampler = av.AudioResampler(format="fltp", layout=self._layout, rate=self._rate)
        self._stream: Any = None

    def add_stream(self, movie: MovieFile) -> Any:
        """Add the film's sound stream."""
        self._stream = movie.container.add_stream("aac", rate=self._rate, layout=self._layout)
        return self._stream

    def feed(self, packet: Any) -> list[Any]:
        """Return the AAC packets that a packet of the source completes."""
        return self._encode(self.decoder.decode(packet))

    def flush(self) -> list[Any]:
        """Return the rest."""
        if not self.decoder.num_frames:
            return []
        return [*self._encode([*self.decoder.decode(None), None]), *self._stream.encode(None)]

    def _encode(self, frames: list[Any]) -> list[Any]:
        return [
            packet
            for frame in frames
            for resampled in self._resampler.resample(frame)
            for packet in self._stream.encode(resampled)
        ]


def _can_copy(movie: MovieFile, template: Any) -> bool:
    codec = _codec_name(template)
    if codec in _NEEDS_HEADER and not template.codec_context.extradata:
        return False
    suffix = movie.path.suffix.lower()
    if suffix == ".mkv":
        return codec in movie.container.supported_codecs
    return codec in (_MP4_CODECS if suffix == ".mp4" else _MOV_CODECS)


def _codec_name(template: Any) -> str:
    """Return the codec's name, not that of one of its decoders."""
    codec = template.codec_context.codec
    name = getattr(codec, "canonical_name", None) or codec.name.removeprefix("lib")
    return str(name).removesuffix("float")
