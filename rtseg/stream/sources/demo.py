"""`demo` and `demo:SEED`: the procedural city drive, whose truth is known."""

from __future__ import annotations

import math
import time

from rtseg.demo_drive import DemoDrive
from rtseg.errors import SourceError
from rtseg.stream.sources.capture import SOURCES, TIME_TOLERANCE_S, Capture, Shot
from rtseg.stream.sources.settings import SourceConfig

DEFAULT_WH = (640, 360)
DEFAULT_FPS = 30.0


@SOURCES.register("demo")
class DemoCapture(Capture):
    """The demo drive as if it were a film: it waits for its reader, and every frame is there.

    It is drawn in the reading thread, 16 to 19 ms a frame of 640x360 on one core.
    """

    def __init__(self, config: SourceConfig) -> None:
        width, height = config.size_wh or DEFAULT_WH
        self.name = config.uri
        self.hw = height, width
        self.fps = config.fps or DEFAULT_FPS
        self._drive = DemoDrive(_seed(config.uri), width, height, self.fps)
        self.truth_classes = self._drive.classes
        self.num_frames = _num_frames(config, self.fps)
        self.endless = self.num_frames is None
        self._next = 0

    @classmethod
    def matches(cls, uri: str) -> bool:
        """Return whether `uri` is ``demo`` or ``demo:SEED``."""
        return uri == "demo" or uri.startswith("demo:")

    def grab(self) -> float | None:
        """Go on to the next frame; nothing is drawn yet."""
        if self.num_frames is not None and self._next >= self.num_frames:
            return None
        self._next += 1
        return (self._next - 1) / self._drive.fps

    def retrieve(self) -> Shot:
        """Draw the frame that was grabbed."""
        image_bgr, truth = self._drive.render(self._next - 1)
        return Shot(image_bgr, time.monotonic_ns(), truth)

    def rewind(self, start_s: float) -> None:
        """Go to the first frame at or after `start_s`."""
        self._next = math.ceil((start_s - TIME_TOLERANCE_S) * self._drive.fps)


def _seed(uri: str) -> int:
    text = uri.partition(":")[2]
    if uri != "demo" and not text.isdecimal():
        raise SourceError(
            f"the demo drive's seed is {text!r}; give a whole number from 0, such as demo:7"
        )
    return int(text or 0)


def _num_frames(config: SourceConfig, fps: float) -> int | None:
    """Return how many frames there are; None where the drive goes on for ever."""
    endless = config.loop is True and config.end_s is None
    if config.duration_s is None or endless:
        return None
    return max(1, round(config.duration_s * fps))
