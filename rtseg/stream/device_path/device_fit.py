"""A `Fit` on the device: frames to the engine's input, its labels back to the frame."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from rtseg.classes import VOID
from rtseg.fit import MEAN_BGR, Fit, nearest_indices, shrinking
from rtseg.stream.edges import refinements, sampling


class DeviceFit:
    """Does with tensors what `Fit.apply` and `smooth_labels_to_frame` do with arrays.

    Args:
        fit: the mapping.
        device: where the tensors lie.
        smooth: smooth class borders; else the nearest neighbour's.
    """

    def __init__(self, fit: Fit, device: torch.device, *, smooth: bool) -> None:
        self._fit = fit
        self._smooth = smooth
        self._bars = torch.tensor(MEAN_BGR, dtype=torch.uint8, device=device).repeat(
            *fit.engine_hw, 1
        )
        self._void = torch.full(fit.frame_hw, VOID, dtype=torch.uint8, device=device)
        content_hw, seen_hw = fit.content_hw, fit.seen_hw
        self._nearest = [
            torch.tensor(nearest_indices(*sizes), device=device)
            for sizes in zip(content_hw, seen_hw, strict=True)
        ]
        self._refinements = refinements(content_hw, seen_hw)
        scale = 2**self._refinements
        cells, quarters, corner = sampling((content_hw[0] * scale, content_hw[1] * scale), seen_hw)
        self._cells = [torch.tensor(indices, device=device) for indices in cells]
        self._quarters = [torch.tensor(indices, device=device) for indices in quarters]
        self._corner = torch.tensor(corner > 0, device=device)

    def apply(self, frame_bgr: Tensor) -> Tensor:
        """Return the engine's input uint8 [*engine_hw, 3] of a frame uint8 [*frame_hw, 3].

        Within two levels of `Fit.apply`, which rounds the weights of the linear step.
        """
        height, width = self._fit.content_hw
        rows, columns = self._fit.seen
        shown = frame_bgr[rows, columns].permute(2, 0, 1)[None].float()
        scaled = _resampled(shown, (height, width))[0].permute(1, 2, 0)
        canvas = self._bars.clone()
        canvas[:height, :width] = scaled.round().clamp(0, 255).to(torch.uint8)
        return canvas

    def labels_to_frame(self, labels: Tensor) -> Tensor:
        """Return the frame's labels uint8 [*frame_hw] of the engine's; void outside a crop."""
        height, width = self._fit.content_hw
        grid = labels[:height, :width]
        shown = self._smoothed(grid) if self._smooth else _sampled(grid, self._nearest)
        if self._fit.seen_hw == self._fit.frame_hw:
            return shown
        whole = self._void.clone()
        whole[self._fit.seen] = shown
        return whole

    def _smoothed(self, grid: Tensor) -> Tensor:
        for _ in range(self._refinements):
            grid = _quadrants(grid)
        corners = _sampled(_quadrants(grid), self._quarters)
        return torch.where(self._corner, corners, _sampled(grid, self._cells))


def _resampled(images: Tensor, hw: tuple[int, int]) -> Tensor:
    """Scale [1, 3, h, w] as `rtseg.fit.resample` does: linear, then the mean of whole numbers."""
    times = shrinking(images.shape[-2:], hw)
    multiple_hw = [side * factor for side, factor in zip(hw, times, strict=True)]
    if list(images.shape[-2:]) != multiple_hw:
        images = F.interpolate(images, size=multiple_hw, mode="bilinear", align_corners=False)
    return images if times == (1, 1) else F.avg_pool2d(images.round(), times)


def _sampled(grid: Tensor, indices: list[Tensor]) -> Tensor:
    rows, columns = indices
    return grid.index_select(0, rows).index_select(1, columns)


def _quadrants(grid: Tensor) -> Tensor:
    """Return the grid at twice its size, as `rtseg.stream.edges` does."""
    height, width = grid.shape
    padded = torch.cat((grid[:1], grid, grid[-1:]))
    padded = torch.cat((padded[:, :1], padded, padded[:, -1:]), dim=1)
    quarters = []
    for top in (0, 2):
        for left in (0, 2):
            beside = padded[1:-1, left : left + width]
            above = padded[top : top + height, 1:-1]
            across = padded[top : top + height, left : left + width]
            agree = (beside == above) & (beside == across)
            quarters.append(torch.where(agree, across, grid))
    whole = torch.stack(quarters).reshape(2, 2, height, width)
    return whole.permute(2, 0, 3, 1).reshape(2 * height, 2 * width)
