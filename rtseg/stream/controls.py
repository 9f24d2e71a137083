"""What a view's keys and buttons act on: stop, pause, step, recording, and the overlay's style."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rtseg.stream.overlay.style import OverlayStyle


class Controls:
    """The hand on a running stream; every method may be called from any thread.

    Args:
        style: how the overlay is drawn at first.
    """

    def __init__(self, style: OverlayStyle | None = None) -> None:
        self._style = style or OverlayStyle()
        self._stopped = self._paused = False
        self._recording = True
        self._num_steps = 0
        self._stop_calls: list[Callable[[], None]] = []
        # re-entrant, so that a signal's handler may call `stop` in the midst of any method
        self._changed = threading.Condition(threading.RLock())

    @property
    def style(self) -> OverlayStyle:
        """How the overlay is drawn from the next frame on; replaced as a whole."""
        return self._style

    @style.setter
    def style(self, style: OverlayStyle) -> None:
        self._style = style

    def stop(self) -> None:
        """End the stream: frames under way are finished, sinks are closed."""
        with self._changed:
            calls = [] if self._stopped else self._stop_calls
            self._stopped = True
            self._changed.notify_all()
        for call in calls:
            call()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped

    def on_stop(self, call: Callable[[], None]) -> None:
        """Have `call` called in the thread that stops the stream; at once if it is stopped."""
        with self._changed:
            stopped = self._stopped
            if not stopped:
                self._stop_calls.append(call)
        if stopped:
            call()

    @property
    def paused(self) -> bool:
        """Whether the stream waits."""
        return self._paused and not self._stopped

    def pause(self, on: bool = True) -> None:
        """Let the stream wait, or go on."""
        with self._changed:
            self._paused = on
            self._num_steps = 0
            self._changed.notify_all()

    @property
    def recording(self) -> bool:
        """Whether recordings take pictures."""
        return self._recording

    def record(self, on: bool = True) -> None:
        """Let recordings take pictures from the next one on, or leave them out."""
        self._recording = on

    def step(self) -> None:
        """Let one frame through while paused; a stream that isn't goes on as it does."""
        with self._changed:
            if self._paused:
                self._num_steps += 1
                self._changed.notify_all()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until a frame may pass; return whether it may.

        Each `step` lets one caller through. False when `timeout_s` went by, or when the stream was
        stopped while it was paused.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._may_pass() or self._stopped, timeout_s)
            if not self._may_pass():
                return False
            self._num_steps = max(self._num_steps - 1, 0)
            return True

    def _may_pass(self) -> bool:
        return not self._paused or self._num_steps > 0
