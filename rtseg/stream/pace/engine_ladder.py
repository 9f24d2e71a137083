"""Engines of several sizes that are one engine to a stream: it runs the size that is chosen."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rtseg.backends.base import Engine, EngineInfo
from rtseg.errors import EngineError

_NUM_MEASURED = 3


class EngineLadder(Engine):
    """Holds the same network at several input sizes, all of them open.

    Args:
        rungs: the engines, which the ladder then owns; they are put in order, the largest first.

    Raises:
        EngineError: there is none, two have one size, or they give different things. They are
            closed then.
    """

    def __init__(self, rungs: Sequence[Engine]) -> None:
        self.rungs = tuple(sorted(rungs, key=_num_pixels, reverse=True))
        if difference := _difference([engine.info for engine in rungs]):
            self.close()
            raise EngineError(f"these engines are no ladder of sizes: {difference}")
        self.rung = 0
        """The one that runs, 0 is the largest; set by who chooses."""
        self.on_measured: Callable[[int, float], object] = lambda rung, step_s: None
        """Called with a rung and what a picture costs there, seconds, when that was measured."""

    @property
    def info(self) -> EngineInfo:  # type: ignore[override]
        """What the engine is that runs now."""
        return self.rungs[self.rung].info

    @property
    def sizes_hw(self) -> list[tuple[int, int]]:
        """Height and width of the inputs, the largest first."""
        return [engine.info.input_hw for engine in self.rungs]

    def infer(self, images_bgr: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """Segment pictures of the size that is chosen now."""
        return self.rungs[self.rung].infer(images_bgr)

    def measure(self, rung: int) -> None:
        """Find out what a picture costs on a rung, and tell `on_measured`; takes a few calls."""
        engine = self.rungs[rung]
        image = np.zeros((engine.info.batch, *engine.info.input_hw, 3), np.uint8)
        engine.infer(image)  # what only the first call needs isn't counted
        self.on_measured(rung, min(_seconds(engine, image) for _ in range(_NUM_MEASURED)))

    def notice(self) -> str | None:
        """Return what people should know of the engine that runs, or else of the others."""
        notices = (engine.notice() for engine in (self.rungs[self.rung], *self.rungs))
        return next((notice for notice in notices if notice), None)

    def close(self) -> None:
        """Release every rung."""
        for engine in self.rungs:
            engine.close()


def _seconds(engine: Engine, image: npt.NDArray[np.uint8]) -> float:
    start_s = time.perf_counter()
    engine.infer(image)
    return time.perf_counter() - start_s


def _num_pixels(engine: Engine) -> int:
    height, width = engine.info.input_hw
    return height * width


def _difference(infos: Sequence[EngineInfo]) -> str:
    if not infos:
        return "there is none"
    sizes = [info.input_hw for info in infos]
    if twice := next((size for size in sizes if sizes.count(size) > 1), None):
        return f"{twice[1]}x{twice[0]} is there twice"
    for what in ("classes", "output", "batch"):
        if any(getattr(info, what) != getattr(infos[0], what) for info in infos):
            return f"their {what} are not the same"
    return ""
