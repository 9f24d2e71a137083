"""A stream as a service: it says when it is ready, how it is, and that it is alive.

Only where a service manager started the process (``NOTIFY_SOCKET``) is there anything to do:

    READY=1       at the first picture of every source, or when one is being waited for
    STATUS=       every two seconds: rate and age, or for how long there has been no signal
    WATCHDOG=1    twice in the time that the manager waits, while every stream is alive
    RELOADING=1   when the settings are read again, then READY=1
    STOPPING=1    when the stream ends
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rtseg.closing import Closing
from rtseg.stream.notifier import Notifier, watchdog_s

if TYPE_CHECKING:
    from rtseg.stream.run import Stream

_log = logging.getLogger(__name__)

STATUS_S = 2.0
PATIENCE_S = 5.0
"""After so long without a source that is to be waited for, the service is up and says so."""
_SILENT_S = 3.0
_UNWATCHED_LIMIT_S = 30.0


class Service(Closing):
    """Tells the service manager about the streams of this process, in a thread of its own.

    Args:
        notifier: to whom; where nobody listens nothing is done, and no thread is started.
        watchdog_s: how long the manager waits for a sign of life, seconds; None: it doesn't.
        waits: a source that isn't there at first is waited for.
    """

    def __init__(
        self, notifier: Notifier, watchdog_s: float | None = None, *, waits: bool = False
    ) -> None:
        self._notifier = notifier
        self._watchdog_s = watchdog_s
        self._waits = waits
        self._streams: Sequence[Stream] = ()
        self._started_s = time.monotonic()
        self._ready = self._stopping = False
        self._trouble: str | None = None
        self._status_due_s = 0.0
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="rtseg-service", daemon=True)
        if notifier.is_heard:
            self._thread.start()

    @classmethod
    def from_environment(cls, *, waits: bool = False) -> Service:
        """Return the service for the manager that started this process, if one did."""
        return cls(Notifier.from_environment(), watchdog_s(), waits=waits)

    def watch(self, streams: Sequence[Stream]) -> None:
        """Tell about these streams from now on; they run soon."""
        self._streams = list(streams)
        for stream in self._streams:
            stream.controls.on_stop(self._note_stop)

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Tell that settings are being read again, and at the end of the block that that's done."""
        with self._lock:
            if not self._ready or not self._notifier.is_heard:
                yield  # it is told once the service is up
                return
            now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            self._notifier.send(RELOADING=1, MONOTONIC_USEC=now_us)
            try:
                yield
            finally:
                self._notifier.send(READY=1)

    def stopping(self) -> None:
        """Tell that the streams end; only once."""
        with self._lock:
            if not self._stopping:
                self._stopping = True
                self._notifier.send(STOPPING=1, STATUS="finishing the outputs")

    def close(self) -> None:
        """Tell that it's over, and end the thread."""
        self.stopping()
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _note_stop(self) -> None:
        if all(stream.controls.stopped for stream in self._streams):
            self.stopping()

    def _run(self) -> None:
        watched_s = self._watchdog_s or 2 * STATUS_S
        interval_s = min(0.25, watched_s / 4)
        ping_due_s = 0.0
        while not self._over.wait(interval_s):
            now_s = time.monotonic()
            self._look()
            if now_s >= ping_due_s and self._watchdog_s and self._trouble is None:
                self._notifier.send(WATCHDOG=1)
                ping_due_s = now_s + watched_s / 2 - interval_s
            if now_s >= self._status_due_s and not self._stopping:
                self._status_due_s = now_s + STATUS_S
                self._notifier.send(STATUS=self._status())

    def _look(self) -> None:
        """See whether the service is ready, and whether anything hangs."""
        limit_s = (self._watchdog_s or _UNWATCHED_LIMIT_S) / 2
        up = self._streams if self._ready else ()  # a start may be slow, and isn't watched
        troubles = (stream.liveness.trouble(limit_s) for stream in up)
        trouble = next((trouble for trouble in troubles if trouble), None)
        if trouble and self._trouble is None:
            _log.error("the stream hangs: %s", trouble)
            self._status_due_s = 0.0
        self._trouble = trouble
        with self._lock:
            if not self._ready and not self._stopping and self._is_ready():
                self._ready = True
                self._notifier.send(READY=1, STATUS=self._status())

    def _is_ready(self) -> bool:
        if not self._streams:
            return self._waits and time.monotonic() - self._started_s > PATIENCE_S
        return all(map(_is_up, self._streams))

    def _status(self) -> str:
        if self._trouble:
            return f"hangs: {self._trouble}"
        if not self._streams:
            waiting_s = time.monotonic() - self._started_s
            return f"opening source and engine, {waiting_s:.0f} s"
        return "; ".join(map(_state, self._streams))


def _is_up(stream: Stream) -> bool:
    info = stream.info
    shown = info.latency.first_shown_ns is not None
    over = stream.controls.stopped or stream.liveness.is_over
    return shown or info.reception.lost_s is not None or over


def _state(stream: Stream) -> str:
    """Return a stream's state in a few words, such as ``"24.9 fps, age 48 ms"``."""
    info = stream.info
    name = f"{info.key}: " if info.key else ""
    shown_ns = info.latency.last_shown_ns
    if stream.liveness.is_over:
        return f"{name}ended"
    if notice := info.reception.notice():
        return f"{name}{notice}"
    if shown_ns is None:
        return f"{name}starting"
    silent_s = (time.monotonic_ns() - shown_ns) / 1e9
    if stream.controls.paused:
        return f"{name}paused"
    if silent_s > _SILENT_S:
        return f"{name}no picture for {silent_s:.0f} s"
    return f"{name}{info.latency.fps:.1f} fps, age {info.latency.age_ms:.0f} ms"
