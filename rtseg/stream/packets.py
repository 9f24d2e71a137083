"""The compressed pictures of a source on their way to raw recordings: never decoded on the way."""

from __future__ import annotations

import io
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

import av
from av.error import FFmpegError

MAX_BYTES = 64 * 2**20
"""A reader that lags further behind begins anew at the next key frame."""


CAN_COPY = tuple(int(part) for part in av.__version__.split(".")[:2]) >= (14, 2)
"""PyAV before puts an encoder's own parameters in the place of the camera's."""


class StreamParameters:
    """What a muxer must know of a compressed stream, in memory of its own.

    Args:
        stream: the `av.VideoStream` of an opened input; it isn't needed any more afterwards.

    Raises:
        ValueError: Matroska doesn't hold the codec.
    """

    def __init__(self, stream: Any) -> None:
        context = stream.codec_context
        never_written = av.open(io.BytesIO(), "w", format="matroska")
        self.template: Any = never_written.add_stream_from_template(stream, opaque=True)
        self._key = (
            context.name,
            context.width,
            context.height,
            bytes(context.extradata or b""),
        )

    @classmethod
    def of(cls, stream: Any) -> StreamParameters | None:
        """Return a stream's parameters; None where nothing but its pictures can be kept."""
        if not CAN_COPY:
            return None
        try:
            return cls(stream)
        except (FFmpegError, ValueError):
            return None

    def same_as(self, other: StreamParameters) -> bool:
        """Return whether packets of both can stand in one file."""
        return self is other or self._key == other._key


@dataclass(frozen=True, slots=True)
class VideoPacket:
    """One compressed picture.

    Args:
        data: the bytes as the camera made them.
        pts_s: presentation time on the same clock as `Frame.pts_s`.
        dts_s: when it is to be decoded, on the same clock; never goes back.
        duration_s: how long it is shown, seconds; 0 where that isn't known.
        is_key: it can be decoded without those before.
        parameters: of the stream that it belongs to.
    """

    data: bytes
    pts_s: float
    dts_s: float
    duration_s: float
    is_key: bool
    parameters: StreamParameters


class PacketReader:
    """One recording's own queue of packets; made by `PacketTrack.subscribe`."""

    def __init__(self) -> None:
        self._packets: deque[VideoPacket] = deque()
        self._lock = threading.Lock()
        self._num_bytes = 0
        self._waits_for_key = True
        self.num_lost = 0

    def put(self, packet: VideoPacket) -> None:
        """Add a packet; the reading thread of the source calls this."""
        with self._lock:
            if self._num_bytes + len(packet.data) > MAX_BYTES:
                self.num_lost += len(self._packets)
                self._forget()
            if self._waits_for_key and not packet.is_key:
                self.num_lost += 1
                return
            self._waits_for_key = False
            self._packets.append(packet)
            self._num_bytes += len(packet.data)

    def take(self) -> list[VideoPacket]:
        """Take all packets that are there."""
        with self._lock:
            taken = list(self._packets)
            self._packets.clear()
            self._num_bytes = 0
        return taken

    def skip(self) -> None:
        """Leave out all up to the next key frame."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        self._packets.clear()
        self._num_bytes, self._waits_for_key = 0, True


class PacketTrack:
    """The compressed pictures of a source, handed from its reading thread to raw recordings."""

    def __init__(self) -> None:
        self._readers: list[PacketReader] = []

    def subscribe(self) -> PacketReader:
        """Return a queue that gets every packet from the next key frame on.

        Call it before the first read; the packets of the first picture are given as well then.
        """
        reader = PacketReader()
        self._readers.append(reader)
        return reader

    @property
    def wanted(self) -> bool:
        """Whether anybody listens; a source need not hand over packets otherwise."""
        return bool(self._readers)

    def put(self, packet: VideoPacket) -> None:
        """Hand a packet to every reader."""
        for reader in self._readers:
            reader.put(packet)
