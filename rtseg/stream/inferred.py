"""What an engine makes of a frame, still in the engine's own geometry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rtseg.errors import DataError
from rtseg.fit import Fit
from rtseg.frames import Frame


@dataclass(frozen=True, slots=True, eq=False)
class Inferred:
    """An engine's output with the frame that it belongs to and the way back to that frame.

    Args:
        frame: the frame that was segmented.
        fit: how the frame was brought to the engine's input.
        output: labels uint8 [h, w], or class probabilities float32 [K, h, w]; h and w are
            `fit.engine_hw`.

    Raises:
        DataError: the output is neither, or of another size, or the fit is for other frames.
    """

    frame: Frame
    fit: Fit
    output: npt.NDArray[Any]

    def __post_init__(self) -> None:
        kind = (self.output.ndim, self.output.dtype)
        if kind not in ((2, np.dtype(np.uint8)), (3, np.dtype(np.float32))):
            raise DataError(
                f"an engine's output is labels uint8 [h, w] or scores float32 [K, h, w]; "
                f"got {self.output.dtype} {list(self.output.shape)}"
            )
        if self.output.shape[-2:] != self.fit.engine_hw or self.frame.hw != self.fit.frame_hw:
            raise DataError(
                f"{list(self.output.shape)} of {self.frame!r} doesn't belong to {self.fit}"
            )

    @property
    def is_scores(self) -> bool:
        """Whether the output is class probabilities rather than labels."""
        return self.output.ndim == 3

    def __repr__(self) -> str:
        kind = "scores" if self.is_scores else "labels"
        return f"Inferred({kind} {list(self.output.shape)} of {self.frame!r})"
