"""What travels between the stages of a stream: a frame, its class map, the finished picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rtseg.classes import ClassSet
from rtseg.errors import DataError

Image = npt.NDArray[np.uint8]
"""uint8 [H, W, 3], BGR."""
Labels = npt.NDArray[np.uint8]
"""uint8 [H, W], class ids; 255 is void."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a source.

    Args:
        image_bgr: uint8 [H, W, 3]; a numpy array, or a torch tensor on the device path.
        index: position in the source, from 0.
        pts_s: time on the source's own clock in seconds from its first frame.
        captured_ns: `time.monotonic_ns()` at the moment the picture reached this process.
        source: the name of the source, without credentials.
        truth: uint8 [H, W], the class of every pixel, 255 = void, where the source knows it (the
            demo drive); it goes through every change of geometry that the image goes through.

    Raises:
        DataError: the image is no uint8 [H, W, 3], the index or time is negative, or the truth
            is of another size.
    """

    image_bgr: Any
    index: int
    pts_s: float
    captured_ns: int
    source: str
    truth: Labels | None = None

    def __post_init__(self) -> None:
        _check_image(self.image_bgr, "a frame's image")
        if self.index < 0 or not self.pts_s >= 0:
            raise DataError(
                f"a frame's index and time can't be negative; got {self.index} and {self.pts_s} s"
            )
        if self.truth is not None and tuple(self.truth.shape) != self.hw:
            raise DataError(f"the truth of {self!r} is {list(self.truth.shape)}")

    @property
    def hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return int(self.image_bgr.shape[0]), int(self.image_bgr.shape[1])

    def __repr__(self) -> str:
        height, width = self.hw
        return f"Frame({self.source!r} #{self.index} at {self.pts_s:.3f} s, {width}x{height})"


@dataclass(frozen=True, slots=True, eq=False)
class ClassMap:
    """The class of every pixel of a frame, in the frame's own geometry.

    Args:
        labels: uint8 [H, W], ids of `classes`; 255 is void.
        classes: what the ids mean.
        frame: the frame that was segmented.

    Raises:
        DataError: labels are no uint8 of the frame's height and width.
    """

    labels: Any
    classes: ClassSet
    frame: Frame

    def __post_init__(self) -> None:
        shape, dtype = tuple(self.labels.shape), str(self.labels.dtype)
        if shape != self.frame.hw or not dtype.endswith("uint8"):
            raise DataError(
                f"a class map of {self.frame!r} must be uint8 {self.frame.hw}; got {dtype} {shape}"
            )

    def __repr__(self) -> str:
        return f"ClassMap({self.classes.name}, {len(self.classes)} classes, of {self.frame!r})"


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """The annotated image of a frame.

    Args:
        image_bgr: uint8 [H, W, 3]; its size may differ from the frame's (side by side, legend).
        frame: the frame it shows.
        class_map: the class map it was drawn from.

    Raises:
        DataError: the image is no uint8 [H, W, 3], or the class map belongs to another frame.
    """

    image_bgr: Image
    frame: Frame
    class_map: ClassMap

    def __post_init__(self) -> None:
        _check_image(self.image_bgr, "a picture's image")
        if self.class_map.frame is not self.frame:
            raise DataError(f"{self.class_map!r} can't be drawn on {self.frame!r}")

    def __repr__(self) -> str:
        height, width = self.image_bgr.shape[:2]
        return f"Picture({width}x{height} of {self.frame!r})"


def _check_image(image: Any, what: str) -> None:
    shape, dtype = tuple(image.shape), str(image.dtype)
    if len(shape) != 3 or shape[2] != 3 or 0 in shape or not dtype.endswith("uint8"):
        raise DataError(f"{what} must be uint8 [H, W, 3]; got {dtype} {list(shape)}")
