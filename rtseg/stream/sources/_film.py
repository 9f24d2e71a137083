"""An opened container as decoded pictures and packets of sound, past whatever is damaged."""

from __future__ import annotations

import errno
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
import av.error
from av.codec.context import Flags

from rtseg.cores import usable_cores
from rtseg.errors import SourceError
from rtseg.stream.sources._container import read_error
from rtseg.stream.sources.live.faults import CODEC, DAMAGED, fault

_ERRORS = (av.error.FFmpegError, IndexError, MemoryError)
"""What reading and decoding damaged data raises; IndexError: a stream that begins in the middle."""
_MAX_ERRORS_IN_A_ROW = 64
_MAX_PIXELS = 2**26
"""A damaged header can claim any size; this is twice 8K."""
_MAX_KEPT = 1024
"""Packets of pictures that are kept while frames are skipped."""
_FULL_HD_PIXELS = 1920 * 1088
_MAX_THREADS = 4
_ATTACHED_PICTURE = 0x400
"""FFmpeg's AV_DISPOSITION_ATTACHED_PIC: the cover of a piece of music."""


@dataclass(slots=True)
class Damage:
    """What could not be read of a film.

    Args:
        lost: places that gave no picture.
        partly: pictures that were delivered although a part of them is wrong.
    """

    lost: int = 0
    partly: int = 0


class Film:
    """The best video stream of a container, and its best sound.

    Args:
        name: for messages.
        container: an `av.container.InputContainer`; closed with the film.
        damage: counts what can't be decoded.
        live: decode for the least delay.
        timeout_s: after which a read is taken for lost, None for files.

    Raises:
        SourceError: there is no video in it.
    """

    def __init__(
        self, name: str, container: Any, damage: Damage, live: bool, timeout_s: float | None
    ) -> None:
        self._name = name
        self.container = container
        self.damage = damage
        self._timeout_s = timeout_s
        self.stream = _video_stream(name, container)
        self.sound_stream = container.streams.best("audio")
        self.sound: list[Any] = []
        """`av.Packet`s of sound met so far; their reader takes them out."""
        self.pictures: list[tuple[Any, int]] = []
        """`av.Packet`s of pictures met so far, and when each came (monotonic clock, ns); their
        reader takes them out."""
        self.keeps_pictures = True
        """Somebody may want them."""
        self.num_packets = 0
        """Packets of pictures read so far."""
        self.end_s = 0.0
        """Where the last packet of pictures or sound ends on the file's clock."""
        self.is_whole = True
        """It was read from its beginning, without a seek."""
        self._frames: deque[Any] = deque()
        self._ended = False
        _prepare_decoder(self.stream.codec_context, live)
        self._packets = self._demux()

    def next_frame(self) -> Any | None:
        """Return the next picture, an `av.VideoFrame`, None at the end.

        Raises:
            SourceError: a network stream broke off or fell silent.
        """
        while not self._frames:
            packet = self._next_packet()
            if packet is None:
                return None
            self._take(packet)
        return self._frames.popleft()

    def read_sound(self, end: int) -> None:
        """Read on without decoding until the sound reaches `end`, in ticks of its time base."""
        while self.sound_stream is not None:
            if self.sound and (self.sound[-1].pts or 0) >= end:
                return
            packet = self._next_packet()
            if packet is None:
                return
            if packet.stream.type == "audio":
                self.sound.append(packet)

    def seek(self, pts: int) -> bool:
        """Go to a key frame at or before `pts`, as far as the container can; else return False."""
        try:
            self.container.seek(pts, stream=self.stream, backward=True)
        except (*_ERRORS, OSError):
            return False
        self.is_whole = self._ended = False
        self.sound.clear()
        self.pictures.clear()
        self._frames.clear()
        self._packets = self._demux()
        return True

    def interrupt(self) -> None:
        """Read no further than the packet that is being waited for; from any thread."""
        self._ended = True

    def close(self) -> None:
        """Close the container; may be called twice."""
        self._ended = True
        self.container.close()

    def _demux(self) -> Iterator[Any]:
        streams = [self.stream] if self.sound_stream is None else [self.stream, self.sound_stream]
        packets: Iterator[Any] = self.container.demux(*streams)
        return packets

    def _next_packet(self) -> Any | None:
        """Return the next packet; the last ones are empty and flush the decoders."""
        for _ in range(_MAX_ERRORS_IN_A_ROW):
            if self._ended:
                return None
            begin_s = time.monotonic()
            try:
                return next(self._packets)
            except StopIteration:
                self._ended = True
            except _ERRORS as error:
                self._survive(error, time.monotonic() - begin_s)
        self._ended = True
        self._decode(None)
        return None

    def _survive(self, error: BaseException, waited_s: float) -> None:
        """Go on behind a damaged place; what a network stream says is final."""
        if self._timeout_s is not None and not isinstance(error, av.error.InvalidDataError):
            if getattr(error, "errno", None) != errno.EIO or waited_s >= 0.95 * self._timeout_s:
                what = "broke off"
                raise read_error(self._name, error, what, self._timeout_s, waited_s) from None
            self._ended = True  # the server closed the connection within a picture
            return
        self.damage.lost += 1
        self._packets = self._demux()

    def _take(self, packet: Any) -> None:
        if packet.size and packet.pts is not None and packet.time_base:
            end = packet.pts + (packet.duration or 0)
            self.end_s = max(self.end_s, float(end * packet.time_base))
        if packet.stream.type == "audio":
            if packet.size:
                self.sound.append(packet)
            return
        is_end = not packet.size and packet.dts is None
        self.num_packets += not is_end
        if packet.size and self.keeps_pictures:
            self._keep(packet)
        # An empty packet in the middle stands for a frame that was left out; it is no flush.
        if packet.size or is_end:
            self._decode(packet)

    def _keep(self, packet: Any) -> None:
        if packet.is_keyframe and len(self.pictures) > _MAX_KEPT:  # nobody takes them
            self.pictures.clear()
        self.pictures.append((packet, time.monotonic_ns()))

    def _decode(self, packet: Any | None) -> None:
        try:
            frames = self.stream.codec_context.decode(packet)
        except av.error.EOFError:  # it was flushed before
            return
        except (*_ERRORS, ValueError):
            self.damage.lost += 1
            return
        self.damage.partly += sum(bool(frame.is_corrupt) for frame in frames)
        self._frames.extend(frames)


def _video_stream(name: str, container: Any) -> Any:
    stream = container.streams.best("video")
    if stream is None:
        raise fault(DAMAGED, f"{name} holds no video")
    if int(getattr(stream, "disposition", 0) or 0) & _ATTACHED_PICTURE:
        raise SourceError(f"{name} holds sound and a cover, but no video")
    if stream.codec_context is None:
        raise fault(CODEC, f"{name}: the installed PyAV has no decoder for its video")
    return stream


def _prepare_decoder(context: Any, live: bool) -> None:
    """Choose threads: frames decoded in parallel come late, and cost more on a small machine."""
    context.options = {**context.options, "max_pixels": str(_MAX_PIXELS)}
    if live:
        context.thread_type = "SLICE"
        context.flags |= Flags.low_delay
        return
    num_cores = usable_cores()
    is_small = (context.width or 0) * (context.height or 0) <= _FULL_HD_PIXELS
    context.thread_count = 1 if is_small and num_cores <= 2 else min(num_cores, _MAX_THREADS)
    context.thread_type = "AUTO"
