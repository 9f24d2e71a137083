"""Live pictures through OpenCV's VideoCapture: cameras and GStreamer pipelines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2

from rtseg.errors import SourceError
from rtseg.stream.sources.capture import Capture, Shot
from rtseg.stream.sources.settings import SourceConfig

_SILENT = 0
"""OpenCV's log level of no lines at all."""
_PAUSE_S = 0.01
_HIGHEST_FPS = 1000


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV's own lines off stderr: what they tell is told in one error."""
    module: Any = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging
    level = int(module.setLogLevel(_SILENT))
    try:
        yield
    finally:
        module.setLogLevel(level)


class OpenCVCapture(Capture):
    """The newest picture of a `cv2.VideoCapture`.

    A subclass opens it, as `_capture`, and calls `_begin`.
    """

    live = endless = True
    ends_silently = False
    """A failed read means the end, not a fault: OpenCV tells no difference for pipelines."""

    _capture: Any

    def _begin(self, config: SourceConfig) -> None:
        """Read the first picture.

        Raises:
            SourceError: none came.
        """
        self._timeout_s = config.timeout_s
        self._interrupted = False
        self._first_s: float | None = None
        self._last_s = 0.0
        self._grabbed_ns = self._good_ns = time.monotonic_ns()
        self._num_damaged = 0
        self._ahead: Shot | None = None
        while self._ahead is None:
            if not self._grab_next():
                raise SourceError(self._silence())
            self._ahead = self.retrieve()
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = float(fps) if 0 < fps <= _HIGHEST_FPS else config.fps
        self._is_grabbed = True

    def grab(self) -> float | None:
        """Wait for the next picture; its time is the driver's, or that of its arrival."""
        if not self._is_grabbed:
            self._ahead = None
            if not self._grab_next():
                if self.ends_silently:
                    return None
                raise SourceError(self._silence())
        self._is_grabbed = False
        self._last_s = max(self._last_s, self._time_s())
        return self._last_s

    def retrieve(self) -> Shot | None:
        """Return the picture that was grabbed; None where it is damaged.

        Raises:
            SourceError: nothing but damaged ones come.
        """
        if self._ahead is not None:
            shot, self._ahead = self._ahead, None
            return shot
        with quiet_opencv():
            is_there, image = self._capture.retrieve()
        if is_there and image is not None and image.ndim == 2:
            image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        if not is_there or image is None or image.size == 0 or image.shape[2:] != (3,):
            self._num_damaged += 1
            if self._grabbed_ns - self._good_ns > 1e9 * self._timeout_s:
                raise SourceError(self._silence())
            return None
        self._good_ns = self._grabbed_ns
        self.hw = image.shape[0], image.shape[1]
        return Shot(image, self._grabbed_ns)

    def interrupt(self) -> None:
        """Wait no longer for a picture."""
        self._interrupted = True

    def close(self) -> None:
        """Release the device."""
        self._capture.release()

    def problems(self) -> list[str]:
        """Return how many pictures were damaged on the way."""
        if not self._num_damaged:
            return []
        return [f"{self.name}: {self._num_damaged} pictures were damaged"]

    def _grab_next(self) -> bool:
        """Wait for a picture; return False where none comes in time."""
        deadline_s = time.monotonic() + self._timeout_s
        with quiet_opencv():
            while not self._capture.grab():
                is_late = self._interrupted or time.monotonic() >= deadline_s
                if self.ends_silently or is_late:
                    return False
                time.sleep(_PAUSE_S)
        self._grabbed_ns = time.monotonic_ns()
        return True

    def _time_s(self) -> float:
        """Return the time of the grabbed picture in seconds from the first one."""
        now_s = self._grabbed_ns / 1e9
        stamp_s = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1e3
        # V4L2 stamps pictures on the monotonic clock, exactly and before the transfer.
        time_s = stamp_s if now_s - 1.0 < stamp_s <= now_s else now_s
        if self._first_s is None:
            self._first_s = time_s
        return time_s - self._first_s

    def _silence(self) -> str:
        return f"{self.name} gave no picture for {self._timeout_s:g} s"
