"""The sound of a live source across the connections that bring it."""

from __future__ import annotations

import io
import threading
from collections import deque
from dataclasses import replace
from typing import Any

import av

from rtseg.stream.audio import MAX_PACKETS, AudioPacket, AudioTrack
from rtseg.stream.sources.capture import Capture
from rtseg.stream.sources.live._live_clock import LiveClock


class LiveSound:
    """Hands on the sound of connections whose sound is like that of the first one.

    Recordings are made for the first one's codec. Another one's packets would spoil them, so
    they are left out, and counted.

    Args:
        first: the track of the first connection.
    """

    def __init__(self, first: AudioTrack) -> None:
        self.track = AudioTrack(_lasting(first.template))
        self._packets: deque[AudioPacket] = deque(maxlen=MAX_PACKETS)
        self._lock = threading.Lock()
        self._fits = True
        self.num_unlike = 0
        """Connections whose sound was left out."""

    def begin(self, track: AudioTrack | None) -> None:
        """Look at the sound of a new connection."""
        self._fits = track is not None and _kind(track.template) == _kind(self.track.template)
        self.num_unlike += track is not None and not self._fits

    def receive(self, capture: Capture, clock: LiveClock) -> None:
        """Take the packets that a connection has met; its own thread calls this."""
        packets = capture.take_audio()
        if not (self._fits and self.track.wanted):
            return
        shifted = [replace(packet, pts_s=clock.shifted_s(packet.pts_s)) for packet in packets]
        with self._lock:
            self._packets.extend(shifted)

    def take(self) -> list[AudioPacket]:
        """Return the packets since the last call."""
        with self._lock:
            packets = list(self._packets)
            self._packets.clear()
        return packets


def _lasting(template: Any) -> Any:
    """Return a stream like `template` that outlives the connection: in a file that is never begun.

    Recordings copy a codec's parameters from it whenever they begin a file, long after the
    connection may have been lost.
    """
    container: Any = av.open(io.BytesIO(), "w", format="matroska")
    try:
        return container.add_stream_from_template(template)
    except (av.error.FFmpegError, ValueError):
        container = av.open(io.BytesIO(), "w", format="nut")
        return container.add_stream_from_template(template)


def _kind(template: Any) -> tuple[Any, ...]:
    """Return what decides whether packets of two streams can follow each other."""
    context = template.codec_context
    layout = context.layout.name if context.layout is not None else None
    return context.codec.id, context.sample_rate, layout, bytes(context.extradata or b"")
