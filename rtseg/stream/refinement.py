"""Class scores refined by a dense CRF: labels whose borders lie on the picture's edges."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from rtseg.classes import VOID
from rtseg.dense_crf import DenseCrfConfig, dense_crf
from rtseg.errors import DataError
from rtseg.frames import Labels
from rtseg.stream.inferred import Inferred
from rtseg.stream.smoothing import best_class

LEAST_PROBABILITY = 1e-6
"""Half-precision engines round small probabilities to 0, which would forbid a class for ever."""


class Refinement:
    """Runs the dense CRF on an engine's scores, on the engine's own grid.

    The grid is where the scores are from: there it is several times cheaper than on the frames, and
    borders are brought to the frames' resolution afterwards.

    Args:
        config: kernels, window, iterations; lengths are in pixels of the grid.
        device: where it runs. On CUDA it works on the current stream, and `labels` waits for it.
    """

    def __init__(self, config: DenseCrfConfig, device: torch.device) -> None:
        self._config = config
        self._device = device

    def labels(self, item: Inferred, scores: npt.NDArray[np.float32] | None = None) -> Labels:
        """Return uint8 labels [*engine_hw], void where the input shows no frame.

        Args:
            item: an engine's scores.
            scores: probabilities [K, *content_hw] to take instead of the engine's.

        Raises:
            DataError: the engine gave labels.
        """
        if not item.is_scores:
            raise DataError(
                f"{item!r} has labels, but the dense CRF needs class scores: take an engine that "
                "was exported with --output scores, or leave the dense CRF out"
            )
        fit = item.fit
        height, width = fit.content_hw
        image = fit.apply(item.frame.image_bgr)[:height, :width]
        shown = item.output[:, :height, :width] if scores is None else scores
        logs = torch.from_numpy(np.log(np.maximum(shown, LEAST_PROBABILITY)))[None]
        pictures = torch.from_numpy(np.ascontiguousarray(image))[None]
        found = dense_crf(logs.to(self._device), pictures.to(self._device), self._config)
        labels = np.full(fit.engine_hw, VOID, np.uint8)
        labels[:height, :width] = best_class(found[0].cpu().numpy())
        return labels
