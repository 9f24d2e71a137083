"""The network's step: one prepared frame through the engine."""

from __future__ import annotations

import numpy as np

from rtseg.backends.base import Engine
from rtseg.errors import EngineError
from rtseg.stream.inferred import Inferred
from rtseg.stream.preprocess import Prepared
from rtseg.stream.stage import Stage


class Infer(Stage):
    """Runs the engine on one frame at a time.

    Several of these may share an engine, each in a thread of its own; the engine stays open when
    one is closed. The engine is run once on construction, so that no frame waits for what a first
    run in a thread sets up.

    Args:
        engine: opened for at least as many callers as there are stages; of batch 1.

    Raises:
        EngineError: the engine takes several pictures a call.
    """

    name = "engine"

    def __init__(self, engine: Engine) -> None:
        if engine.info.batch != 1:
            raise EngineError(
                f"{engine.info} takes {engine.info.batch} pictures a call; a stream needs one of "
                "batch 1: export it with --batch 1, or name several sources"
            )
        self._engine = engine
        self._engine.infer(np.zeros((1, *engine.info.input_hw, 3), np.uint8))

    def process(self, item: Prepared) -> Inferred:
        """Return labels [H, W] or scores [K, H, W] of the prepared frame; waits for the engine."""
        output = self._engine.infer(item.image_bgr[None])[0]
        return Inferred(item.frame, item.fit, output)
