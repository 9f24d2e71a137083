"""An engine that can be exchanged for a better one while frames go through it."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from rtseg.backends.base import DeviceGraph, Engine, EngineInfo
from rtseg.errors import EngineError


class EngineSlot(Engine):
    """Holds the engine that runs now; to its callers it is an engine.

    A call is made on the engine that is in the slot when it begins. The engine that was replaced
    is closed when its last call has returned.

    Args:
        engine: the one to begin with; the slot owns it.
    """

    def __init__(self, engine: Engine) -> None:
        self._lock = threading.Lock()
        self._engine = engine
        self._calls: dict[Engine, int] = {engine: 0}
        self._closed = False

    @property
    def info(self) -> EngineInfo:  # type: ignore[override]
        """What the engine is that runs now."""
        return self._engine.info

    def infer(self, images_bgr: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """Segment pictures on the engine that is in the slot now."""
        with self._lock:
            engine = self._engine
            self._calls[engine] += 1
        try:
            return engine.infer(images_bgr)
        finally:
            with self._lock:
                self._calls[engine] -= 1
                over = self._is_over(engine)
            if over:
                engine.close()

    def device_graph(self) -> DeviceGraph | None:
        """Return the graph of the engine that is in the slot now."""
        return self._engine.device_graph()

    def swap(self, engine: Engine) -> None:
        """Let the next call run on `engine`, which the slot then owns; closes it when too late.

        Raises:
            EngineError: it takes or gives something else than the one that runs.
        """
        if difference := _difference(self._engine.info, engine.info):
            engine.close()
            raise EngineError(f"{engine.info} can't take over from {self.info}: {difference}")
        with self._lock:
            if self._closed:
                replaced, idle = engine, True
            else:
                replaced, self._engine = self._engine, engine
                self._calls[engine] = 0
                idle = self._is_over(replaced)
        if idle:
            replaced.close()

    def close(self) -> None:
        """Release the engine once its last call has returned; no other one is let in."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            idle = self._is_over(self._engine)
        if idle:
            self._engine.close()

    def _is_over(self, engine: Engine) -> bool:
        """Whether nobody calls an engine any more and nobody will; only once, under the lock."""
        gone = engine is not self._engine or self._closed
        if gone and self._calls.get(engine) == 0:
            del self._calls[engine]
            return True
        return False


def _difference(now: EngineInfo, new: EngineInfo) -> str:
    for what in ("input_hw", "classes", "output", "batch"):
        if getattr(now, what) != getattr(new, what):
            return f"its {what} is another one"
    return ""
