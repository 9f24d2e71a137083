"""A decoder for a source's packets of sound that needs the source no longer."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av
from av.error import FFmpegError

_FORMATS = ("nut", "wav", "mov")
"""Between them they hold every codec and all that its decoder must know."""


class SoundDecoder:
    """Decodes packets, whose time base is one over their sample rate; damaged ones give nothing.

    A decoder must know more of the source's stream than PyAV tells (the size of ADPCM's blocks,
    …). So the stream's parameters and its first packet go through a small file in memory, and the
    decoder is the one that reading it gives.

    Args:
        template: the source's stream; it isn't needed any more afterwards.

    Raises:
        ValueError: no format holds the codec.
    """

    def __init__(self, template: Any) -> None:
        self._files = [file for name in _FORMATS if (file := _MemoryFile.of(name, template))]
        if not self._files:
            raise ValueError(f"{template.codec_context.name} can't be decoded apart")
        self._decoder: Any = None
        self.num_packets = self.num_frames = 0
        self._next_pts = 0

    def decode(self, packet: Any | None) -> list[Any]:
        """Return the frames that a packet completes; None gives the rest."""
        self.num_packets += packet is not None
        if self._decoder is None and packet is not None:
            self._decoder = next(filter(None, (file.decoder(packet) for file in self._files)), None)
            self._files = []
        if self._decoder is None:
            return []
        try:
            frames: list[Any] = self._decoder.decode(packet)
        except FFmpegError:
            return []
        self.num_frames += len(frames)
        for frame in frames:
            self._time(frame)
        return frames

    def _time(self, frame: Any) -> None:
        """Give a frame its time: of several from one packet, the first alone has one."""
        if frame.pts is None:
            frame.pts, frame.time_base = self._next_pts, Fraction(1, frame.sample_rate)
        length = Fraction(frame.samples, frame.sample_rate) / frame.time_base
        self._next_pts = frame.pts + round(length)


class _MemoryFile:
    """A file in memory with one stream."""

    def __init__(self, format_name: str, template: Any) -> None:
        self._bytes = io.BytesIO()
        self._container: Any = av.open(self._bytes, "w", format=format_name)
        self._stream = self._container.add_stream_from_template(template)

    @classmethod
    def of(cls, format_name: str, template: Any) -> _MemoryFile | None:
        """Make the file, or return None where the format doesn't hold the codec."""
        try:
            return cls(format_name, template)
        except (FFmpegError, ValueError):
            return None

    def decoder(self, packet: Any) -> Any | None:
        """Write a packet, and return the decoder of what was written; None where it can't decode.

        The file is closed in any case: the garbage collector would end the process in closing one
        that was begun.
        """
        first = av.Packet(bytes(packet))
        first.time_base, first.stream = packet.time_base, self._stream
        first.pts = first.dts = 0
        first.is_keyframe = True
        try:
            try:
                self._container.mux(first)
            finally:
                self._container.close()
            self._read().decode(first)
            return self._read()
        except (FFmpegError, ValueError, NotImplementedError, IndexError):
            return None

    def _read(self) -> Any:
        with av.open(io.BytesIO(self._bytes.getvalue())) as written:
            return written.streams.audio[0].codec_context
