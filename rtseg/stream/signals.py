"""Ctrl-C and SIGTERM: the first one stops a stream so that its outputs are finished.

SIGHUP reads settings again. It is also what a terminal sends when it is closed: then it stops.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rtseg.stream.controls import Controls

_log = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM)
HANG_UP = getattr(signal, "SIGHUP", None)
"""Not on Windows."""


@contextmanager
def stop_on_signals(
    controls: Controls, reload: Callable[[], object] | None = None
) -> Iterator[None]:
    """Have SIGINT and SIGTERM call `controls.stop`; a second one ends the process at once.

    The signals are seen by a thread of its own, which the interpreter's signal handler wakes
    through a socket: it reacts also while the main thread is in native code or waits. The exit
    status of the second one is the shell's, 128 + the signal's number. The old handlers are back
    at the end. Does nothing outside the main thread, where handlers can't be set.

    Args:
        controls: of the stream.
        reload: called at SIGHUP, in the thread of the signals. Where the process belonged to a
            terminal that is gone, SIGHUP stops the stream instead; where it is ignored, as by
            nohup, it stays so. None: SIGHUP is left alone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    reactions = _Reactions(controls, reload)
    watch = threading.Thread(
        name="rtseg-signals", target=_watch, args=(receiver, reactions), daemon=True
    )
    watch.start()
    old_wakeup = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    numbers = [*SIGNALS]
    if reload is not None and HANG_UP is not None and signal.getsignal(HANG_UP) != signal.SIG_IGN:
        numbers.append(HANG_UP)
    old_handlers = {number: signal.signal(number, _seen_elsewhere) for number in numbers}
    try:
        yield
    finally:
        for number, handler in old_handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(old_wakeup)
        sender.close()
        watch.join()
        receiver.close()


class _Reactions:
    """What is done at each signal: `controls.stop`, the end of the process, `reload`."""

    def __init__(self, controls: Controls, reload: Callable[[], object] | None) -> None:
        self._controls = controls
        self._reload = reload
        self._num_seen = 0
        self._has_terminal = _has_terminal()

    def react(self, number: int) -> None:
        """Do what a signal asks for; others than those that were asked for do nothing."""
        if number == HANG_UP and self._reload is not None:
            self._hang_up(self._reload)
        elif number in SIGNALS:
            self._num_seen += 1
            if self._num_seen > 1:
                os._exit(128 + number)
            self._controls.stop()

    def _hang_up(self, reload: Callable[[], object]) -> None:
        if self._has_terminal and not _has_terminal():
            self._controls.stop()
            return
        try:
            reload()
        except Exception:
            _log.exception("the settings could not be read again")


def _has_terminal() -> bool:
    """Whether the process has a terminal that could be closed."""
    if sys.platform == "win32":
        return False
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _seen_elsewhere(number: int, frame: FrameType | None) -> None:
    """Keep the signal from ending the process; `_watch` reacts to it."""


def _watch(receiver: socket.socket, reactions: _Reactions) -> None:
    """Take the numbers of signals from a socket until its other end is closed."""
    while received := receiver.recv(1):
        reactions.react(received[0])
