"""From the pixels of a picture to what a network takes, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Mean and standard deviation per channel, RGB, on the scale where white is 1.

    The defaults are ImageNet's, as nearly every published network uses them.
    """

    mean_rgb: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std_rgb: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __call__(self, images_bgr: Tensor) -> Tensor:
        """Turn uint8 BGR [N, H, W, 3] into float32 RGB [N, 3, H, W], normalised, channels last."""
        images = images_bgr.to(torch.float32).permute(0, 3, 1, 2).flip(1)
        scale, shift = self.scale_shift(images.device)
        return (images * scale + shift).contiguous(memory_format=torch.channels_last)

    def scale_shift(self, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
        """Return float32 [1, 3, 1, 1] tensors: normalised = value_0_to_255 * scale + shift."""
        mean = torch.tensor(self.mean_rgb, dtype=torch.float32, device=device).view(1, 3, 1, 1)
        std = torch.tensor(self.std_rgb, dtype=torch.float32, device=device).view(1, 3, 1, 1)
        return 1 / (255 * std), -mean / std
