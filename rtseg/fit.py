"""How a frame is brought to an engine's input, and its labels back: one object for both ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rtseg.frames import Image, Labels

FitMode = Literal["stretch", "letterbox", "crop"]


@dataclass(frozen=True, slots=True)
class Fit:
    """The mapping between frames of one size and an engine's input.

    Args:
        mode: ``"stretch"``: the whole frame, each axis scaled by itself. ``"letterbox"``: the
            whole frame at its own proportions at the top left; what is left over at the right or
            the bottom is filled with the mean colour, which normalises to 0. ``"crop"``: the
            largest centred part of the frame that has the engine's proportions; labels outside it
            are void.
        frame_hw: height and width of the frames, pixels.
        engine_hw: height and width of the engine's input, pixels.
    """

    mode: FitMode
    frame_hw: tuple[int, int]
    engine_hw: tuple[int, int]

    def apply(self, image_bgr: Image) -> Image:
        """Return the engine's input, uint8 [*engine_hw, 3] BGR, of a frame's image."""
        raise NotImplementedError

    def labels_to_frame(self, labels: Labels) -> Labels:
        """Return the frame's labels, uint8 [*frame_hw], of the engine's, by nearest neighbour."""
        raise NotImplementedError

    def to_frame(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point of the engine's input lies in the frame; pixel i spans [i, i+1)."""
        raise NotImplementedError

    def to_engine(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point of the frame lies in the engine's input: the inverse."""
        raise NotImplementedError
