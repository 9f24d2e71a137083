"""The demo drive: a street that is drawn, not filmed, with the class of every pixel known.

A procedural drive through a town as a dashcam sees it, in CamVid's 11 classes: the first thing that
a user sees, a data set that needs no download, and a moving picture with known truth for tests.
"""

from __future__ import annotations

import math
from operator import index as as_index

from rtseg._demo.noise import U8, U16
from rtseg._demo.scene import Scene
from rtseg.classes import CAMVID, ClassSet
from rtseg.errors import DataError

LEAST_WH = (64, 48)
"""The smallest picture that can be drawn, width and height."""


class DemoDrive:
    """An endless drive through a made-up town, with exact labels.

    A frame is a pure function of (seed, size, fps, index): any order, any process, same bytes. The
    seed picks the street, its houses, the light and the traffic. The camera sees 57° from left to
    right whatever the size, so that a larger picture of the same shape shows the same, only finer.

    >>> drive = DemoDrive(seed=1, width=320, height=180)
    >>> image_bgr, labels = drive.render(0)
    >>> image_bgr.shape, labels.shape
    ((180, 320, 3), (180, 320))

    Args:
        seed: which drive; 0 or more.
        width: picture width in pixels, at least 64.
        height: picture height in pixels, at least 48.
        fps: frames per second; frame `index` shows the street at `index` / fps seconds.

    Raises:
        DataError: an argument is out of range.
    """

    def __init__(
        self, seed: int = 0, width: int = 640, height: int = 360, fps: float = 30.0
    ) -> None:
        self._seed = _whole("seed", seed, 0)
        self._width = _whole("width", width, LEAST_WH[0])
        self._height = _whole("height", height, LEAST_WH[1])
        if isinstance(fps, bool) or not isinstance(fps, (int, float)):
            raise DataError(f"the demo drive's fps is {fps!r}; give a number, such as 30")
        if not (math.isfinite(fps) and fps > 0):
            raise DataError(f"the demo drive's fps is {fps!r}; give a number above 0, such as 30")
        self._fps = float(fps)
        self._scene = Scene(self._seed, self._width, self._height)

    def __repr__(self) -> str:
        return f"DemoDrive(seed={self._seed}, {self._width}x{self._height}, {self._fps:g} fps)"

    @property
    def classes(self) -> ClassSet:
        """The classes of the labels: CamVid's 11."""
        return CAMVID

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the pictures in pixels."""
        return self._width, self._height

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self._fps

    @property
    def seed(self) -> int:
        """Which drive this is."""
        return self._seed

    def render(self, index: int) -> tuple[U8, U8]:
        """Draw frame `index` (0 or more; the drive has no end).

        Returns:
            The picture, uint8 [H, W, 3] BGR, and the class ids, uint8 [H, W]; both are the
            caller's own. Every pixel has a class.

        Raises:
            DataError: `index` is negative or no whole number.
        """
        number = _whole("frame index", index, 0)
        return self._scene.render(number, number / self._fps)

    def render_instances(self, index: int) -> tuple[U8, U8, U16]:
        """Draw frame `index` with the object that every pixel belongs to.

        Counted are cars (buses too), people on foot, and bicycles with and without riders. An id
        follows its object through the frames for as long as it is in sight, in any order of
        frames; out of sight for long, it may come to stand for another object.

        Returns:
            The picture and the class ids, the same bytes as `render` returns, and the objects' ids,
            uint16 [H, W], 0 where a pixel belongs to no counted object; all are the caller's own.
            Every pixel of the classes Car, Pedestrian and Bicyclist has an id.

        Raises:
            DataError: `index` is negative or no whole number.
        """
        number = _whole("frame index", index, 0)
        return self._scene.render_instances(number, number / self._fps)


def _whole(name: str, value: int, least: int) -> int:
    try:
        number = as_index(value)
    except TypeError:
        raise DataError(
            f"the demo drive's {name} is {value!r}; give a whole number of {least} or more"
        ) from None
    if number < least:
        raise DataError(f"the demo drive's {name} is {number}; give {least} or more")
    return number
