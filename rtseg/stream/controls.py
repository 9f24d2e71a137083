"""What a view's keys and buttons act on: stop, pause, step, and the overlay's style."""

from __future__ import annotations

import threading

from rtseg.stream.overlay.style import OverlayStyle


class Controls:
    """The hand on a running stream; every method may be called from any thread.

    Args:
        style: how the overlay is drawn at first.
    """

    def __init__(self, style: OverlayStyle | None = None) -> None:
        self._style = style or OverlayStyle()
        self._stop = threading.Event()
        self._running = threading.Event()
        self._running.set()
        self._steps = threading.Semaphore(0)

    @property
    def style(self) -> OverlayStyle:
        """How the overlay is drawn from the next frame on; replaced as a whole."""
        return self._style

    @style.setter
    def style(self, style: OverlayStyle) -> None:
        self._style = style

    def stop(self) -> None:
        """End the stream: frames under way are finished, sinks are closed."""
        self._stop.set()
        self._running.set()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set()

    @property
    def paused(self) -> bool:
        """Whether the stream waits."""
        return not self._running.is_set()

    def pause(self, on: bool = True) -> None:
        """Let the stream wait, or go on."""
        if on and not self.stopped:
            self._running.clear()
        else:
            self._running.set()

    def step(self) -> None:
        """Let one frame through while paused."""
        self._steps.release()

    def wait(self, timeout_s: float) -> bool:
        """Wait until a frame may pass, `timeout_s` at most; return whether it may."""
        if self._running.is_set():
            return True
        if self._steps.acquire(blocking=False):
            return True
        return self._running.wait(timeout_s)
