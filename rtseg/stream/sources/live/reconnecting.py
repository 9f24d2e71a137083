"""A live source that comes back: the reader's side of it, to which `Watch` brings the pictures."""

from __future__ import annotations

import time
from collections.abc import Callable

from rtseg.errors import SourceError
from rtseg.stream.audio import AudioPacket
from rtseg.stream.events import Events
from rtseg.stream.packets import VideoPacket
from rtseg.stream.reception import Reception
from rtseg.stream.sources.capture import TIME_TOLERANCE_S, Capture, Shot
from rtseg.stream.sources.live.announcer import Announcer
from rtseg.stream.sources.live.watch import Watch
from rtseg.stream.sources.settings import SourceConfig
from rtseg.stream.sources.uri import redact

_LOOK_S = 0.25
_MAX_LINES = 8


class ReconnectingCapture(Capture):
    """A live capture that is opened anew whenever it fails, ends or falls silent.

    It begins to open at once; `first` waits for that. Its times go on across losses by the time
    that has gone by.

    Args:
        config: the source, when a silence is a loss, and how often and how soon to try again.
        open_capture: opens the bare capture; it is given how long a read may be silent, seconds.
        events: is told of losses and returns.
        newest: `grab` gives the newest picture, and those that came before it are left out; else
            it gives every one, and the source waits.
    """

    live = endless = True

    def __init__(
        self,
        config: SourceConfig,
        open_capture: Callable[[float], Capture],
        events: Events | None = None,
        *,
        newest: bool = True,
    ) -> None:
        self.name = redact(config.uri)
        self.reception = self._reception = Reception()
        self._end_s = config.end_s
        self._announcer = Announcer(self.name, events or Events(), self._reception)
        self._shot: Shot | None = None
        self._watch = Watch(config, open_capture, self._announcer, newest)

    @classmethod
    def matches(cls, uri: str) -> bool:
        """Return False: it stands around other kinds, and is none of its own."""
        return False

    def first(self) -> Capture:
        """Wait for the first opening; return this capture, or the bare one if that isn't live.

        Raises:
            SourceError: it failed.
        """
        watch = self._watch
        try:
            watch.wait_for_first()
        except BaseException:  # Ctrl-C
            self.close()
            raise
        if (capture := watch.first) is None:
            self.close()
            raise watch.failure or SourceError(f"{self.name} was closed before it was open")
        if not capture.live:
            self.close()
            return capture
        self.hw, self.fps, self.codec = capture.hw, capture.fps, capture.codec
        self.audio = None if watch.sound is None else watch.sound.track
        self.packets = None if watch.packets is None else watch.packets.track
        return self

    def grab(self) -> float | None:
        """Wait for the next picture; return its time, None after an interruption.

        Raises:
            SourceError: the source is lost, and was tried for as often as was wanted.
        """
        slot = self._watch.slot
        while (taken := slot.take(_LOOK_S)) is None:
            if slot.ended:
                self._say_why()
            if slot.ended or self._is_past_end():
                return None
        time_s, self._shot = taken
        self.hw = self._shot.image_bgr.shape[0], self._shot.image_bgr.shape[1]
        return time_s

    def retrieve(self) -> Shot | None:
        """Return the picture that was grabbed last."""
        return self._shot

    def take_audio(self) -> list[AudioPacket]:
        """Return the packets of sound met since the last call."""
        sound = self._watch.sound
        return [] if sound is None else sound.take()

    def take_packets(self, *, wanted: bool) -> list[VideoPacket]:
        """Return the compressed pictures met since the last call."""
        packets = self._watch.packets
        taken = [] if packets is None else packets.take()
        return taken if wanted else []

    def take_replaced(self) -> int:
        """Return how many pictures were left out for newer ones, since the last call."""
        return self._watch.slot.take_replaced()

    def interrupt(self) -> None:
        """End all waiting, now and later."""
        self._watch.stop()

    def close(self) -> None:
        """Close the connection; one that hangs is left behind, and closes when it comes back."""
        self._watch.close()

    def problems(self) -> list[str]:
        """Return how often the signal was lost, and what the connections have to tell."""
        lines, sound = self._watch.lines()[:_MAX_LINES], self._watch.sound
        if sound is not None and sound.num_unlike:
            lines.append(f"{self.name}: after a loss the sound was of another kind; it is left out")
        return [*self._announcer.problems(), *lines]

    def _say_why(self) -> None:
        """Raise why no picture comes any more, once, unless it was asked for.

        Raises:
            SourceError: the source is lost.
        """
        watch = self._watch
        failure, watch.failure = watch.failure, None
        if failure is not None and not watch.stopped:
            raise failure

    def _is_past_end(self) -> bool:
        """Whether the wanted end goes by while there is no signal."""
        now_s = self._watch.clock.now_s(time.monotonic_ns())
        if self._end_s is None or now_s is None or self._reception.lost_s is None:
            return False
        return now_s >= self._end_s - TIME_TOLERANCE_S
