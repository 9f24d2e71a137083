"""Ctrl-C and SIGTERM as a wish that the loop fulfils when its state is whole."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

from rtseg.training.distributed import Processes

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ASK_EVERY_STEPS = 10
"""Several processes must stop at the same step; to ask the others costs waiting for them."""


class Interrupted(Exception):
    """A signal asks the training to save and end."""


class StopSignals:
    """Notes the first signal; a Ctrl-C a second later interrupts at once. A context manager.

    In a thread other than the main one, where Python allows no handlers, it notes nothing.
    """

    def __init__(self) -> None:
        self.number = 0
        """The signal that came, 0 for none."""
        self._noted_s = 0.0
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            self._previous = {each: signal.signal(each, self._note) for each in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each, handler in self._previous.items():
            signal.signal(each, handler)

    def check(self, group: Processes, step: int = 0) -> None:
        """Raise if this process, or at some steps any other, was asked to stop.

        Every process must call it at the same steps.

        Raises:
            Interrupted: it was.
        """
        if step % _ASK_EVERY_STEPS and group.world_size > 1:
            return
        if group.any(self.number != 0):
            name = signal.Signals(self.number).name if self.number else "a signal elsewhere"
            raise Interrupted(f"stopped by {name}")

    def _note(self, number: int, frame: FrameType | None) -> None:
        now_s = time.monotonic()
        # torchrun hands a Ctrl-C, which the terminal has sent to all, on to all at once.
        if self.number and number == signal.SIGINT and now_s - self._noted_s > 1:
            raise KeyboardInterrupt
        if not self.number:
            self.number, self._noted_s = number, now_s
