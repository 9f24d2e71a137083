"""One opening of a live source: a thread opens it, reads it, and alone closes it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from rtseg.stream.sources.capture import Capture, Shot


class Receiver(Protocol):
    """Who is told what a connection does, in the connection's thread."""

    def opened(self, connection: Connection, capture: Capture) -> None:
        """The capture is open; its first picture comes next."""

    def received(self, connection: Connection, capture: Capture, time_s: float, shot: Shot) -> None:
        """A picture has come, at `time_s` on the capture's clock."""

    def closed(self) -> None:
        """A connection is over."""


class Connection:
    """Opens a capture and reads it to its end, in a thread of its own.

    Nobody but that thread reads or closes the capture, as one can't be closed while it is being
    read. A thread that hangs in a driver is left behind; when it comes back it closes its capture.

    Args:
        number: counts the openings, for the thread's name.
        open_capture: opens the capture.
        receiver: is told what happens.
    """

    def __init__(
        self, number: int, open_capture: Callable[[], Capture], receiver: Receiver
    ) -> None:
        self._open_capture = open_capture
        self._receiver = receiver
        self._is_unwanted = False
        self._since_ns: int | None = time.monotonic_ns()
        self.name = f"rtseg-receive-{number}"
        self._thread = threading.Thread(name=self.name, target=self._work, daemon=True)
        self.capture: Capture | None = None
        """It is open, or was."""
        self.error: BaseException | None = None
        """Why it could not be opened or read on; None at the source's own end."""
        self.over = False
        """The capture is closed (one that isn't live is left open for whoever reads it)."""
        self.has_picture = False
        """It has brought one."""

    def start(self) -> None:
        """Begin to open it."""
        self._thread.start()

    @property
    def is_unwanted(self) -> bool:
        """Whether it was given up."""
        return self._is_unwanted

    @property
    def silent_s(self) -> float:
        """For how long it has been waited for the opening, or for the next picture; seconds."""
        since_ns = self._since_ns
        return 0.0 if since_ns is None else (time.monotonic_ns() - since_ns) / 1e9

    def give_up(self, wait_s: float) -> bool:
        """Tell it to end, and wait a moment; return whether it has closed its capture."""
        self._is_unwanted = True
        if self.capture is not None:
            self.capture.interrupt()
        if self._thread.is_alive():
            self._thread.join(wait_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        try:
            self.capture = self._open_capture()
            if self.capture.live and not self._is_unwanted:
                self._receiver.opened(self, self.capture)
                self._read_all(self.capture)
        except BaseException as error:
            self.error = error
        finally:
            self._finish()

    def _read_all(self, capture: Capture) -> None:
        while not self._is_unwanted and (time_s := capture.grab()) is not None:
            shot = capture.retrieve()
            if shot is None or self._is_unwanted:
                continue
            self._since_ns = None  # a reader that takes its time is no stall
            self.has_picture = True
            self._receiver.received(self, capture, time_s, shot)
            self._since_ns = time.monotonic_ns()

    def _finish(self) -> None:
        capture = self.capture
        try:
            if capture is not None and (capture.live or self._is_unwanted):
                capture.close()
        except BaseException as error:
            self.error = self.error or error
        finally:
            self.over = True
            self._receiver.closed()
