"""The watchdog of a live source: what is lost or stalled is closed, and opened anew.

connection    opens, reads and closes the camera      a thread for each opening (`Connection`)
     │  every picture
    slot      the newest picture alone                read by `ReconnectingCapture.grab`

watch         waits for a connection's end, for a silence that is too long, or for the stop;
              closes the connection or leaves it behind, waits (`BackOff`), makes the next
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import av.error
import cv2

from rtseg.errors import SourceError
from rtseg.stream.sources.capture import Capture, Shot
from rtseg.stream.sources.live._live_clock import LiveClock
from rtseg.stream.sources.live.announcer import Announcer
from rtseg.stream.sources.live.back_off import BackOff
from rtseg.stream.sources.live.connection import Connection
from rtseg.stream.sources.live.faults import ENDED, FAILED, SETUP, STALLED, fault
from rtseg.stream.sources.live.left_behind import LeftBehind
from rtseg.stream.sources.live.live_packets import LivePackets
from rtseg.stream.sources.live.live_sound import LiveSound
from rtseg.stream.sources.live.slot import Slot
from rtseg.stream.sources.live.stall_limit import StallLimit
from rtseg.stream.sources.settings import SourceConfig

_DRIVER_ERRORS = (OSError, cv2.error, av.error.FFmpegError)
_MOMENT_S, _STOP_MOMENT_S = 0.5, 0.25
"""How long a connection that was told to end is waited for; at a stop nobody likes to wait."""
_MAX_LINES = 32
_CHECK_S = 0.25
"""How often a wait for the first opening looks up: Ctrl-C must get through."""


class Watch:
    """Keeps a live source connected, from its construction to `close`.

    Args:
        config: when a silence is a loss, and how often and how soon it is tried again.
        open_capture: opens the bare capture; it is given how long a read may be silent, seconds.
        announcer: tells of losses and returns.
        newest: the newest picture replaces one that nobody has read; else the source waits.
    """

    def __init__(
        self,
        config: SourceConfig,
        open_capture: Callable[[float], Capture],
        announcer: Announcer,
        newest: bool,
    ) -> None:
        self._config = config
        self._open_capture = open_capture
        self._announcer = announcer
        self.slot: Slot[tuple[float, Shot]] = Slot(newest)
        """Times on the clock of all connections, seconds, and pictures."""
        self.clock = LiveClock()
        self.sound: LiveSound | None = None
        self.packets: LivePackets | None = None
        self.first: Capture | None = None
        """The first capture that could be opened."""
        self.failure: BaseException | None = None
        """Why no picture comes any more."""
        self._limit = StallLimit(config.reconnect.stall_s, config.timeout_s)
        self._back_off = BackOff(config.reconnect)
        self._left = LeftBehind()
        self._lines: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._connection: Connection | None = None
        self._begun: Connection | None = None
        self._num_connections = 0
        self._stopped = self._is_over = False
        self._thread = threading.Thread(name="rtseg-watch-source", target=self._work, daemon=True)
        self._thread.start()

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stopped

    def wait_for_first(self) -> None:
        """Wait until the source is open for the first time, or never will be."""
        with self._changed:
            while self.first is None and not self._is_over:
                self._changed.wait(_CHECK_S)

    def stop(self) -> None:
        """End all waiting, now and later; from any thread."""
        self._stopped = True
        self.slot.end(now=True)
        self.closed()

    def close(self) -> None:
        """Close the connection; one that hangs is left behind, and closes when it comes back."""
        self.stop()
        self._thread.join(4 * _MOMENT_S)

    def lines(self) -> list[str]:
        """Return what the connections have to tell, each line once."""
        lines, one = Counter(self._lines), self._connection
        if one is not None and one.capture is not None:
            lines.update(one.capture.problems())
        return [line if num == 1 else f"{line} ({num} times)" for line, num in lines.items()]

    def opened(self, connection: Connection, capture: Capture) -> None:
        """Learn from the first opening what the source is like."""
        with self._changed:
            if connection is self._connection and self.first is None:
                self._learn(capture)

    def received(self, connection: Connection, capture: Capture, time_s: float, shot: Shot) -> None:
        """Time a picture, and put it where it is read from."""
        with self._changed:
            if connection is not self._connection:
                return  # it was left behind, and has come back
            if connection is not self._begun:
                self._begin(connection, capture)
            self._limit.add(shot.captured_ns)
            time_s = self.clock.time_s(time_s, shot.captured_ns)
            if self.sound is not None:
                self.sound.receive(capture, self.clock)
            if self.packets is not None:
                self.packets.receive(capture, self.clock)
        self._announcer.picture(capture, shot)
        self.slot.put((time_s, shot), lambda: connection.is_unwanted)

    def closed(self) -> None:
        """Look at the connection again."""
        with self._changed:
            self._changed.notify_all()

    def _learn(self, capture: Capture) -> None:
        if capture.live and capture.audio is not None:
            self.sound = LiveSound(capture.audio)
        if capture.live and capture.packets is not None:
            self.packets = LivePackets()
        self.first = capture
        self._changed.notify_all()

    def _begin(self, connection: Connection, capture: Capture) -> None:
        """Take the first picture of a connection."""
        if self._begun is not None:
            self.clock.begin()
            if self.sound is not None:
                self.sound.begin(capture.audio)
        self._begun = connection
        self._limit.begin()
        self._back_off.reset()

    def _work(self) -> None:
        """Connect again and again: the thread's work."""
        try:
            while self._left.wait_for_room(lambda: self._stopped):
                loss = self._connect()
                if self._stopped or loss is None or not self._may_try_again(loss):
                    break
                self._wait(self._back_off.next_s(), lambda: False)
        except BaseException as error:
            self.failure = error
        finally:
            self._is_over = True
            self.slot.end(now=self._stopped)
            self.closed()

    def _connect(self) -> SourceError | None:
        """Open the source and watch it; return why it was lost, None where it isn't live.

        Raises:
            BaseException: what is no fault of the source, as it was raised.
        """
        read_s = self._read_timeout_s()
        one = Connection(self._num_connections, lambda: self._open_capture(read_s), self)
        self._connection = one
        self._num_connections += 1
        one.start()
        look_s = self._config.reconnect.stall_s / 2  # the limit gets shorter as the rate is known
        while not (one.over or self._stopped or one.silent_s >= self._limit_s(one)):
            left_s = self._limit_s(one) - one.silent_s
            self._wait(min(left_s, look_s), lambda: one.over)
        if self.first is None and one.over and one.capture is not None and not one.capture.live:
            with self._changed:
                self._learn(one.capture)
            return None
        loss = self._loss(one)
        self._let_go(one)
        return loss

    def _limit_s(self, connection: Connection) -> float:
        """Return how long a connection may be silent; an opening has time-outs of its own."""
        opening_s = 2 * self._config.timeout_s + 2
        return self._limit.seconds if connection.has_picture else opening_s

    def _read_timeout_s(self) -> float:
        """Return after which silence a read shall give up by itself.

        By the rate of the connection before, it is the limit of this watch, so that the connection
        ends by itself. While no rate is known, a slow camera must not be cut off by it.
        """
        known = self._limit.period_s is not None
        return self._limit.seconds if known else 2 * self._config.timeout_s

    def _loss(self, connection: Connection) -> SourceError:
        error, name = connection.error, self._announcer.name
        if isinstance(error, SourceError):
            return error
        if isinstance(error, _DRIVER_ERRORS):  # its own text may hold credentials
            return fault(FAILED, f"{name} failed in its driver ({type(error).__name__})")
        if error is not None:
            raise error
        if connection.over:
            return fault(ENDED, f"{name}: the stream was ended by its server")
        what = "gave no picture" if connection.capture is not None else "could not be opened"
        return fault(STALLED, f"{name} {what} for {connection.silent_s:.1f} s")

    def _let_go(self, connection: Connection) -> None:
        """Have a connection closed, or leave it behind."""
        with self._changed:
            self._connection = None  # what it may still bring is late
        capture = connection.capture
        if connection.give_up(_STOP_MOMENT_S if self._stopped else _MOMENT_S):
            self._keep_lines(capture)
            return
        self._left.add(connection)
        if not self._stopped:
            self._announcer.left_behind(connection.name, "reading" if capture else "opening")

    def _keep_lines(self, capture: Capture | None) -> None:
        """Keep what a closed capture has to tell, of weeks of them a bounded number of lines."""
        for line in capture.problems() if capture is not None else []:
            if line in self._lines or len(self._lines) < _MAX_LINES:
                self._lines[line] += 1

    def _may_try_again(self, loss: SourceError) -> bool:
        """Tell of a loss or of a failed attempt; False where that was the last one."""
        if self.first is None and (loss.kind == SETUP or not self._config.wait):
            self.failure = loss
            return False
        self._announcer.loss(loss)
        limit, num = self._config.reconnect.limit, self._announcer.num_failures
        if limit is None or num < limit:
            return True
        if limit:
            times = "1 attempt" if num == 1 else f"{num} attempts"
            self.failure = fault(loss.kind, f"{loss}; given up after {times}")
        elif loss.kind != ENDED:
            self.failure = loss
        return False

    def _wait(self, seconds: float, reached: Callable[[], bool]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or reached(), max(seconds, 0.001))
