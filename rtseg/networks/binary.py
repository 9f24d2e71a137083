"""Networks with one output channel, which is the logit of the object against the background.

Its sigmoid is the probability of class 1 of two; a pixel is the object where that lies above a
threshold. The comparison is made between logits, so that nothing is lost near 0 and 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

NUM_CLASSES = 2
"""Background, id 0, and object, id 1."""
EVEN_THRESHOLD = 0.5
"""The threshold before one is chosen."""


def threshold_logit(threshold: float) -> float:
    """Return the logit of a probability between 0 and 1, both excluded."""
    return math.log(threshold / (1 - threshold))


def with_background(logits: Tensor) -> Tensor:
    """Return logits [N, 2, H, W] whose softmax is (1 - sigmoid, sigmoid) of logits [N, 1, H, W]."""
    return torch.cat([torch.zeros_like(logits), logits], dim=1)


def object_mask(logits: Tensor, threshold: float) -> Tensor:
    """Return bool [N, H, W]: where the sigmoid of logits [N, 1, H, W] is above the threshold."""
    return logits[:, 0].float() > threshold_logit(threshold)
