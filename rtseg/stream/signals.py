"""Ctrl-C and SIGTERM: the first one stops a stream so that its outputs are finished."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rtseg.stream.controls import Controls

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_on_signals(controls: Controls) -> Iterator[None]:
    """Have SIGINT and SIGTERM call `controls.stop`; a second one ends the process at once.

    The signals are seen by a thread of its own, which the interpreter's signal handler wakes
    through a socket: it reacts also while the main thread is in native code or waits. The exit
    status of the second one is the shell's, 128 + the signal's number. The old handlers are back
    at the end. Does nothing outside the main thread, where handlers can't be set.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    watch = threading.Thread(
        name="rtseg-signals", target=_watch, args=(receiver, controls), daemon=True
    )
    watch.start()
    old_wakeup = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    old_handlers = {number: signal.signal(number, _seen_elsewhere) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in old_handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(old_wakeup)
        sender.close()
        watch.join()
        receiver.close()


def _seen_elsewhere(number: int, frame: FrameType | None) -> None:
    """Keep the signal from ending the process; `_watch` reacts to it."""


def _watch(receiver: socket.socket, controls: Controls) -> None:
    """Take the numbers of signals from a socket until its other end is closed."""
    num_seen = 0
    while received := receiver.recv(1):
        number = received[0]
        if number not in SIGNALS:
            continue
        num_seen += 1
        if num_seen > 1:
            os._exit(128 + number)
        controls.stop()
