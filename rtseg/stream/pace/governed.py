"""The network's step where a rate is to be kept: each frame at the size that is chosen for it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

from rtseg.fit import FitMode
from rtseg.frames import Frame
from rtseg.stream.infer import Infer
from rtseg.stream.inferred import Inferred
from rtseg.stream.pace.pace import Pace
from rtseg.stream.preprocess import Prepared, Preprocess
from rtseg.stream.stage import Stage


class GovernedPreprocess(Stage):
    """Brings a frame to the size that is chosen for it, or leaves it out.

    Args:
        mode: how; see `Preprocess`.
        pace: chooses.
    """

    name = Preprocess.name

    def __init__(self, mode: Literal["auto"] | FitMode, pace: Pace) -> None:
        self._pace = pace
        self._stages = {hw: Preprocess(mode, hw) for hw in pace.ladder.sizes_hw}
        self.took_s = 0.0
        """What the last frame took, seconds."""

    def process(self, item: Frame) -> Prepared | None:
        """Return the frame with an engine's input; None where it is left out."""
        start_s = time.monotonic()
        size_hw = self._pace.choose(item)
        if size_hw is None:
            return None
        prepared = self._stages[size_hw].process(item)
        self.took_s = time.monotonic() - start_s
        return prepared


class GovernedInfer(Stage):
    """Runs the engine of a frame's size, and tells how long the whole step took.

    Args:
        pace: is told.
        before: the stage before this one in the same thread.

    Raises:
        EngineError: the engines take several pictures a call.
    """

    name = Infer.name

    def __init__(self, pace: Pace, before: GovernedPreprocess) -> None:
        self._pace = pace
        self._before = before
        self._stages = {engine.info.input_hw: Infer(engine) for engine in pace.ladder.rungs}
        pace.measure()

    def process(self, item: Prepared) -> Inferred:
        """Return labels or scores of the frame; waits for the engine."""
        start_s = time.monotonic()
        size_hw = item.fit.engine_hw
        inferred = self._stages[size_hw].process(item)
        self._pace.stepped(size_hw, self._before.took_s + time.monotonic() - start_s)
        return inferred


def governed(mode: Literal["auto"] | FitMode, pace: Pace) -> Sequence[Stage]:
    """Return the stages of one worker."""
    preprocess = GovernedPreprocess(mode, pace)
    return preprocess, GovernedInfer(pace, preprocess)
