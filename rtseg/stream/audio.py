"""The sound of a source on its way to the recordings: compressed, never decoded on the way."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

MAX_PACKETS = 4096
"""A reader that lags further behind loses the oldest: about a minute of AAC."""


@dataclass(frozen=True, slots=True)
class AudioPacket:
    """One compressed packet of sound.

    Args:
        data: the bytes as the codec made them.
        pts_s: presentation time on the same clock as `Frame.pts_s`; may be slightly negative.
        duration_s: how long it sounds, seconds.
    """

    data: bytes
    pts_s: float
    duration_s: float


class AudioReader:
    """One recording's own queue of packets; made by `AudioTrack.subscribe`."""

    def __init__(self) -> None:
        self._packets: deque[AudioPacket] = deque(maxlen=MAX_PACKETS)
        self._lock = threading.Lock()

    def put(self, packet: AudioPacket) -> None:
        """Add a packet; the reading thread of the source calls this."""
        with self._lock:
            self._packets.append(packet)

    def take_until(self, pts_s: float) -> list[AudioPacket]:
        """Take all packets that begin at or before `pts_s`; ``float("inf")`` takes the rest."""
        taken = []
        with self._lock:
            while self._packets and self._packets[0].pts_s <= pts_s:
                taken.append(self._packets.popleft())
        return taken


class AudioTrack:
    """The sound of a source, handed from its reading thread to any number of recordings.

    Args:
        template: the `av.AudioStream` of the opened input, from which a muxer copies the codec's
            parameters.
    """

    def __init__(self, template: Any) -> None:
        self.template = template
        self._readers: list[AudioReader] = []

    def subscribe(self) -> AudioReader:
        """Return a queue that gets every packet from now on; call it before the first read."""
        reader = AudioReader()
        self._readers.append(reader)
        return reader

    @property
    def wanted(self) -> bool:
        """Whether anybody listens; a source need not hand over packets otherwise."""
        return bool(self._readers)

    def put(self, packet: AudioPacket) -> None:
        """Hand a packet to every reader."""
        for reader in self._readers:
            reader.put(packet)
