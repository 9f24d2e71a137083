"""What a batch teaches of its objects, as tensors beside its labels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rtseg.instances.targets import (
    distance_and_direction,
    energy_levels,
    object_weights,
    touching_borders,
)
from rtseg.training.warp import to_device


class ObjectTargets(NamedTuple):
    """The targets of instance heads, all on one device; pixels without an object are 0 in each.

    Args:
        direction: float32 [N, 2, h, w], unit vectors away from the object's edge.
        energy: int64 [N, h, w], levels of the distance to it.
        weights: float32 [N, h, w], above 0 within objects, more in small ones.
        border: bool [N, h, w], where objects touch.
    """

    direction: Tensor
    energy: Tensor
    weights: Tensor
    border: Tensor

    @classmethod
    def of(cls, ids: npt.NDArray[np.uint16], device: torch.device) -> ObjectTargets:
        """Make the targets of objects uint16 [N, h, w]."""
        fields = [distance_and_direction(each) for each in ids]
        return cls(
            to_device(torch.from_numpy(np.stack([way for _, way in fields])), device),
            to_device(_stacked([energy_levels(far).astype(np.int64) for far, _ in fields]), device),
            to_device(_stacked([object_weights(each) for each in ids]), device),
            to_device(_stacked([touching_borders(each) for each in ids]), device),
        )


def _stacked(arrays: list[npt.NDArray[np.generic]]) -> Tensor:
    return torch.from_numpy(np.stack(arrays))
