"""Cross entropy that counts more in the narrow gaps between objects of one class, after U-Net."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from rtseg.classes import VOID
from rtseg.errors import ConfigError
from rtseg.training.class_weights import ClassCounts
from rtseg.training.losses.loss import (
    ClassWeighting,
    LossConfig,
    OfTwoClasses,
    WeightedLoss,
    mean_where_weighted,
    register,
)


@register
class BorderWeightConfig(LossConfig):
    """Cross entropy weighted by w = w_c + w0 exp(-(d1 + d2)^2 / (2 sigma^2)).

    d1 and d2 are a pixel's distances to the nearest and second nearest object, an object being a
    connected piece of one class. The distances are found with OpenCV on the host: on a GPU each
    batch waits for that, and the loss can't be compiled into one graph.
    """

    name: Literal["border_weight"] = "border_weight"
    class_weights: ClassWeighting = "none"
    classes: list[int] | None = Field(
        default=None,
        min_length=1,
        description="Ids of the classes whose objects are to be kept apart; by default all.",
    )
    gap_weight: float = Field(default=10.0, ge=0, description="w0, the most that a gap adds.")
    sigma_px: float = Field(
        default=5.0, gt=0, le=50, description="sigma: how wide a gap still counts, px."
    )

    def build(self, num_classes: int, class_counts: ClassCounts | None = None) -> BorderWeight:
        """Build the loss for K classes.

        Raises:
            ConfigError: `classes` holds an id that is no class, or as `LossConfig.build`.
        """
        return BorderWeight(self, num_classes, class_counts)

    def build_binary(self, class_counts: ClassCounts | None = None) -> OfTwoClasses:
        """Build the binary form; the gaps are those between pieces of the object by default."""
        config = self.model_copy(update={"classes": self.classes or [1]})
        return OfTwoClasses.built(config, class_counts)


class BorderWeight(WeightedLoss):
    """Built from a `BorderWeightConfig`. Ronneberger 2015, "U-Net", section 3."""

    def __init__(
        self, config: BorderWeightConfig, num_classes: int, class_counts: ClassCounts | None
    ) -> None:
        super().__init__(num_classes, config.class_weights, class_counts)
        self.classes = list(range(num_classes)) if config.classes is None else config.classes
        if not all(0 <= class_id < num_classes for class_id in self.classes):
            raise ConfigError(
                f"border_weight has the classes {self.classes}; allowed are ids from 0 to "
                f"{num_classes - 1}"
            )
        self.gap_weight = config.gap_weight
        self.sigma_px = config.sigma_px

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return sum(w * ce) / sum(w) over the labelled pixels. Waits for the device."""
        losses = F.cross_entropy(logits.float(), labels, ignore_index=VOID, reduction="none")
        gaps = self.gap_weight * self._gaps(labels) * (labels != VOID)
        return mean_where_weighted(losses, self.pixel_weights(labels) + gaps)

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # OpenCV works on the host
    def _gaps(self, labels: Tensor) -> Tensor:
        maps = labels.to(torch.uint8).cpu().numpy()
        gaps = np.stack([gap_map(one, self.classes, self.sigma_px) for one in maps])
        return torch.from_numpy(gaps).to(labels.device)


def gap_map(
    labels: npt.NDArray[np.uint8], classes: Sequence[int], sigma_px: float
) -> npt.NDArray[np.float32]:
    """Return float32 [H, W] in 0..1: exp(-(d1 + d2)^2 / (2 sigma^2)), the largest of any class.

    d1 and d2 are measured between pixel centres to the nearest and second nearest connected piece
    (8 neighbours) of one class; inside a piece d1 is 0. Gaps wider than 4 sigma may count as 0.
    """
    gaps = np.zeros(labels.shape, np.float32)
    for class_id in np.intersect1d(classes, labels):
        sums = _distance_sums((labels == class_id).astype(np.uint8), int(np.ceil(4 * sigma_px)))
        np.maximum(gaps, np.exp(-(sums**2) / (2 * sigma_px**2)), out=gaps)
    return gaps


def _distance_sums(mask: npt.NDArray[np.uint8], reach_px: int) -> npt.NDArray[np.float32]:
    """Return d1 + d2 of every pixel, infinite where no two pieces lie within `reach_px`."""
    count, pieces, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    nearest = np.full(mask.shape, np.inf, np.float32)
    second = nearest.copy()
    for piece in range(1, count):
        left, top, width, height, _ = boxes[piece].tolist()
        # Only the surroundings of a piece are looked at: a street has hundreds of pieces.
        window = (
            slice(max(0, top - reach_px), top + height + reach_px),
            slice(max(0, left - reach_px), left + width + reach_px),
        )
        elsewhere = (pieces[window] != piece).astype(np.uint8)
        distance = cv2.distanceTransform(elsewhere, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        second[window] = np.minimum(second[window], np.maximum(nearest[window], distance))
        nearest[window] = np.minimum(nearest[window], distance)
    nearest += second
    return nearest
