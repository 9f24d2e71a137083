"""From a frame to the engine's input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rtseg.fit import Fit, FitMode, choose_fit
from rtseg.frames import Frame, Image
from rtseg.stream.stage import Stage


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A frame and the engine's input that was made of it.

    Args:
        frame: the frame.
        fit: how it was brought to the input.
        image_bgr: uint8 [H, W, 3] BGR, the engine's input.
    """

    frame: Frame
    fit: Fit
    image_bgr: Image


class Preprocess(Stage):
    """Brings each frame to the engine's size; a frame of a new size gets a new `Fit`.

    Args:
        mode: how; "auto" keeps the whole frame and its proportions.
        engine_hw: height and width of the engine's input in pixels.
    """

    name = "preprocess"

    def __init__(self, mode: Literal["auto"] | FitMode, engine_hw: tuple[int, int]) -> None:
        self._mode = mode
        self._engine_hw = engine_hw
        self._fit: Fit | None = None

    def process(self, item: Frame) -> Prepared:
        """Return the frame with its engine input."""
        if self._fit is None or self._fit.frame_hw != item.hw:
            self._fit = choose_fit(self._mode, item.hw, self._engine_hw)
        return Prepared(item, self._fit, self._fit.apply(item.image_bgr))
