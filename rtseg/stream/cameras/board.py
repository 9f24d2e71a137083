"""Where several streams leave their newest pictures, and the mosaic that is made of them."""

from __future__ import annotations

import threading
import time

import numpy as np

from rtseg.classes import ClassSet
from rtseg.frames import ClassMap, Frame, Image, Picture
from rtseg.stream.overlay.mosaic import Mosaic, View
from rtseg.stream.sinks.playback import Playback
from rtseg.stream.sinks.sink import Sink, StreamInfo
from rtseg.stream.sources.source import Source, SourceInfo
from rtseg.stream.stage import Stage

NAME = "mosaic"
RATE_FPS = 25.0
_POLL_S = 0.02


class Place:
    """One camera's place on the board; it takes and gives in any thread.

    Args:
        name: what people call the camera.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._image_bgr: Image | None = None
        self._info: StreamInfo | None = None
        self._end: str | None = None

    def begin(self, info: StreamInfo) -> None:
        """Note whose reception counts."""
        self._info = info

    def show(self, image_bgr: Image) -> None:
        """Put up a picture, uint8 [H, W, 3], which nobody changes any more."""
        self._image_bgr = image_bgr

    def end(self, why: str) -> None:
        """Note that no more pictures come; the first reason stays."""
        self._end = self._end or why

    @property
    def ended(self) -> bool:
        """Whether no more pictures come."""
        return self._end is not None

    def view(self) -> View:
        """Return what is shown of the camera now."""
        lost = self._info.reception.notice() if self._info is not None else None
        return View(self._name, self._image_bgr, self._end or lost)


class BoardSink(Sink):
    """Puts a stream's newest picture on the board.

    Args:
        place: the stream's place.
        realtime: a file's pictures go up at their own speed, not as fast as they are made.
    """

    name = NAME

    def __init__(self, place: Place, *, realtime: bool = False) -> None:
        self._place = place
        self._realtime = realtime
        self._playback = Playback()

    def open(self, info: StreamInfo) -> None:
        """Take the place."""
        self._info = info
        self._is_paced = self._realtime and not info.source.live
        self._place.begin(info)

    def write(self, picture: Picture) -> None:
        """Show a picture, at its time where the stream is paced."""
        if self._is_paced:
            self._wait_for(picture.frame.pts_s)
        self._place.show(picture.image_bgr)

    def close(self) -> None:
        """Say that the stream has come to its end."""
        self._place.end("ended")

    def _wait_for(self, pts_s: float) -> None:
        due_s = self._playback.due_s(pts_s)
        while (left_s := due_s - time.monotonic()) > 0 and not self._info.controls.stopped:
            time.sleep(min(left_s, _POLL_S))


class BoardSource(Source):
    """The mosaic as a live source at a constant rate, until every camera has ended.

    Args:
        places: the cameras' places.
        within_wh: the most room for the mosaic, width and height in pixels.
        fps: pictures a second.
    """

    def __init__(
        self,
        places: list[Place],
        within_wh: tuple[int, int] = (1600, 900),
        fps: float = RATE_FPS,
    ) -> None:
        self._places = places
        self._mosaic = Mosaic(len(places), within_wh)
        self._woken = threading.Event()
        self._fps = fps
        self._start_s: float | None = None
        self._index = self._tick = 0
        self.info = SourceInfo(NAME, self._mosaic.hw, fps, live=True)

    def read(self) -> Frame | None:
        """Return the mosaic of the next moment; None once all cameras have ended."""
        ended = all(place.ended for place in self._places)
        if ended or not self._wait():
            return None
        now_ns = time.monotonic_ns()
        image = self._mosaic.draw([place.view() for place in self._places])
        index, self._index = self._index, self._index + 1
        pts_s = self._tick / self._fps
        return Frame(image, index, pts_s, now_ns, NAME)

    def interrupt(self) -> None:
        """End the waiting, and the source."""
        self._woken.set()

    def _wait(self) -> bool:
        """Wait for the next whole frame period; return False when interrupted."""
        if self._start_s is None:
            self._start_s = time.monotonic()
            return not self._woken.is_set()
        passed = int((time.monotonic() - self._start_s) * self._fps)
        self._tick = max(self._tick, passed) + 1
        return not self._woken.wait(self._start_s + self._tick / self._fps - time.monotonic())


class AsPicture(Stage):
    """Hands a mosaic on as a finished picture; it has no classes of its own, so all is void.

    Args:
        classes: of the cameras.
    """

    name = NAME

    def __init__(self, classes: ClassSet) -> None:
        self._classes = classes
        self._void = np.empty((0, 0), np.uint8)

    def process(self, item: Frame) -> Picture:
        """Return the picture of a mosaic."""
        if self._void.shape != item.hw:
            self._void = np.full(item.hw, 255, np.uint8)
        return Picture(item.image_bgr, item, ClassMap(self._void, self._classes, item))
