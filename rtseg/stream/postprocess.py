"""From an engine's output to the class of every pixel of the frame."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from pydantic import Field

from rtseg.classes import ClassSet
from rtseg.config import Config
from rtseg.frames import ClassMap
from rtseg.stream.inferred import Inferred
from rtseg.stream.stage import Stage


class PostprocessConfig(Config):
    """What is done to the class map before it is drawn."""

    edges: Literal["smooth", "nearest"] = Field(
        default="smooth",
        description="smooth: class borders at the frame's own resolution; nearest: the engine "
        "grid's stairs, bit by bit what the network says.",
    )
    smooth: float = Field(default=0.0, ge=0, lt=1, description="Temporal smoothing; 0: off.")
    hood: str | None = Field(default=None, description="FILE or auto.")


class Postprocess(Stage):
    """Brings each engine output to its frame's geometry."""

    name = "postprocess"

    def __init__(self, config: PostprocessConfig, classes: ClassSet) -> None:
        self._config = config
        self._classes = classes

    def process(self, item: Inferred) -> ClassMap:
        """Return the class map of the frame."""
        output = item.output
        labels = np.argmax(output, 0).astype(np.uint8) if item.is_scores else output
        whole = item.fit.labels_to_frame(labels)
        if self._config.edges == "smooth":
            whole = np.asarray(cv2.medianBlur(whole, 5))
        return ClassMap(whole, self._classes, item.frame)
