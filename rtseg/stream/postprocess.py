"""From an engine's output to the class of every pixel of the frame."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import torch
from pydantic import Field

from rtseg.classes import ClassSet
from rtseg.config import Config
from rtseg.dense_crf import DenseCrfConfig
from rtseg.errors import DataError
from rtseg.frames import ClassMap, Labels
from rtseg.stream.edges import smooth_labels_to_frame
from rtseg.stream.hood import open_hood
from rtseg.stream.inferred import Inferred
from rtseg.stream.refinement import Refinement
from rtseg.stream.smoothing import TemporalSmoothing, best_class
from rtseg.stream.stage import Stage


class PostprocessConfig(Config):
    """What is done to the class map before it is drawn."""

    edges: Literal["smooth", "nearest"] = Field(
        default="smooth",
        description="smooth: class borders at the frame's own resolution; nearest: the engine "
        "grid's stairs, each pixel exactly what the network said.",
    )
    smooth: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Temporal smoothing of the class scores, 0 to below 1: how much of the past "
        "remains after 1/30 s where the picture stands still. 0: off; 0.8 takes away a sixth to a "
        "third of the flicker and costs no accuracy; above 0.9 small moving things suffer.",
    )
    dense_crf: DenseCrfConfig | None = Field(
        default=None,
        description="Class borders drawn to the picture's edges by a dense CRF, on the engine's "
        "grid: over half a second a frame on a CPU, so for films. {}: its defaults; null: off.",
    )
    hood: str | None = Field(
        default=None,
        description="The own bonnet, which becomes void: a PNG file in which it is painted white "
        "on black or on a transparent ground, scaled to the frame; or auto: found in the film's "
        "first moving seconds, where there is one.",
    )

    @property
    def needs_scores(self) -> bool:
        """Whether class scores are of use, rather than labels."""
        return self.smooth > 0 or self.dense_crf is not None


class Postprocess(Stage):
    """Brings each engine output to its frame's geometry.

    Args:
        config: edges, temporal smoothing, dense CRF, bonnet.
        classes: what the labels mean.
        device: where the dense CRF runs; None: on the CPU.

    Raises:
        DataError: the bonnet's mask can't be used.
    """

    name = "postprocess"

    def __init__(
        self, config: PostprocessConfig, classes: ClassSet, device: torch.device | None = None
    ) -> None:
        self._config = config
        self._classes = classes
        self._smoothing = TemporalSmoothing(config.smooth, len(classes)) if config.smooth else None
        crf = config.dense_crf
        self._refinement = None if crf is None else Refinement(crf, device or torch.device("cpu"))
        self._hood = open_hood(config.hood)

    def process(self, item: Inferred) -> ClassMap:
        """Return the class map of the frame.

        Raises:
            DataError: the scores are of another number of classes, or labels where the dense CRF
                needs scores.
        """
        labels = self._to_frame(item, self._decided(item))
        mask = self._hood.mask(item.frame) if self._hood is not None else None
        if mask is not None:
            labels = np.asarray(cv2.bitwise_or(labels, mask), np.uint8)  # 255 is void
        return ClassMap(labels, self._classes, item.frame)

    def _decided(self, item: Inferred) -> Labels:
        if item.is_scores and len(item.output) != len(self._classes):
            raise DataError(
                f"{item!r} has scores of {len(item.output)} classes; the class set "
                f"{self._classes.name!r} has {len(self._classes)}"
            )
        if self._refinement is not None:
            smoothed = self._smoothing.scores(item) if self._smoothing is not None else None
            return self._refinement.labels(item, smoothed)
        if self._smoothing is not None:
            return self._smoothing.labels(item)
        return best_class(item.output) if item.is_scores else item.output

    def _to_frame(self, item: Inferred, labels: Labels) -> Labels:
        if self._config.edges == "smooth":
            return smooth_labels_to_frame(item.fit, labels)
        return item.fit.labels_to_frame(labels)
