"""The running average of a network's weights, which is better than the last step's."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from rtseg.networks import SegmentationNetwork


class ExponentialAverage:
    """A copy of a network that follows it: average = decay * average + (1 - decay) * network.

    The decay rises as (1 + updates) / (10 + updates) until it reaches its full value, so that the
    random start is forgotten soon. Batch normalisation's statistics are averaged likewise;
    integer buffers are copied.

    Args:
        network: on its device; not changed.
        decay: the full value, 0 to 1.
    """

    def __init__(self, network: SegmentationNetwork, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0
        self._pairs = _pairs(self.network, network)

    @torch.no_grad()
    def update(self) -> None:
        """Take one step towards the network as it is now."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        averages, values = self._pairs.floats
        torch._foreach_lerp_(averages, values, 1 - decay)
        for average, value in self._pairs.others:
            average.copy_(value)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"updates": self.updates, "network": self.network.state_dict()}


class _Pairs:
    """The tensors of average and network side by side."""

    def __init__(self, pairs: list[tuple[Tensor, Tensor]]) -> None:
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        self.floats = [average for average, _ in floats], [value for _, value in floats]
        self.others = [pair for pair in pairs if not pair[0].is_floating_point()]


def _pairs(average: SegmentationNetwork, network: SegmentationNetwork) -> _Pairs:
    # state_dict gives tensors that share the modules' memory, so that the pairs stay valid.
    values = network.state_dict()
    return _Pairs([(tensor, values[name]) for name, tensor in average.state_dict().items()])
