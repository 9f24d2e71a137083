"""The compressed pictures of a live source across the connections that bring them."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace

from rtseg.stream.packets import PacketTrack, VideoPacket
from rtseg.stream.sources.capture import Capture
from rtseg.stream.sources.live._live_clock import LiveClock

_MAX_PACKETS = 8192
"""Two minutes at 60 a second: a reader that lags further behind loses the oldest."""


class LivePackets:
    """Hands on the packets of all connections; each says itself what stream it belongs to.

    Until it is known whether anybody wants them, those since the last key frame are kept, so that
    a recording begins with it.
    """

    def __init__(self) -> None:
        self.track = PacketTrack()
        self._packets: deque[VideoPacket] = deque(maxlen=_MAX_PACKETS)
        self._lock = threading.Lock()
        self._is_asked = False

    def receive(self, capture: Capture, clock: LiveClock) -> None:
        """Take the packets that a connection has met; its own thread calls this."""
        packets = capture.take_packets(wanted=self.track.wanted or not self._is_asked)
        with self._lock:
            for packet in packets:
                if packet.is_key and not self._is_asked:
                    self._packets.clear()
                shift_s = clock.shifted_s(packet.pts_s) - packet.pts_s
                self._packets.append(
                    replace(packet, pts_s=packet.pts_s + shift_s, dts_s=packet.dts_s + shift_s)
                )

    def take(self) -> list[VideoPacket]:
        """Return the packets since the last call."""
        with self._lock:
            self._is_asked = True
            packets = list(self._packets)
            self._packets.clear()
        return packets
