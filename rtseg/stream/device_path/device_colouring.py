"""A `Colouring` on the device: class colours over a frame."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from rtseg.stream.overlay.colouring import Colouring
from rtseg.stream.overlay.outlines import reach_px
from rtseg.stream.overlay.overlay import DIVIDER_BGR, divider_columns
from rtseg.stream.overlay.style import OverlayStyle


class DeviceColouring:
    """Paints frames in one style with tensors, as `Overlay` does with arrays.

    Args:
        style: mode, strength, outlines.
        colouring: of that style; its tables are taken over.
        device: where the tensors lie.
    """

    def __init__(self, style: OverlayStyle, colouring: Colouring, device: torch.device) -> None:
        self._style = style
        self._colours = torch.tensor(colouring.colours_bgr, device=device)
        self._lines = torch.tensor(colouring.line_colours_bgr, device=device)
        self._hidden = torch.tensor(colouring.hidden, device=device)
        self._divider = torch.tensor(DIVIDER_BGR, dtype=torch.uint8, device=device)

    def paint(self, frame_bgr: Tensor, labels: Tensor) -> Tensor:
        """Return the picture uint8 [H, W or 2 W, 3] of a frame and its labels uint8 [H, W]."""
        mode = self._style.mode
        if mode == "picture":
            return frame_bgr.clone()
        ids = labels.long()
        if mode == "mask":
            return self._colours[ids]
        painted = self._over(frame_bgr, labels, ids)
        if mode == "overlay":
            return painted
        beside = torch.cat((frame_bgr, painted), dim=1)
        beside[:, divider_columns(frame_bgr.shape)] = self._divider
        return beside

    def _over(self, frame_bgr: Tensor, labels: Tensor, ids: Tensor) -> Tensor:
        alpha = self._style.alpha
        mixed = frame_bgr.float() * (1 - alpha) + self._colours[ids].float() * alpha
        painted = mixed.round().clamp(0, 255).to(torch.uint8)
        uncoloured = self._hidden[ids]
        if self._style.outlines:
            lines = _outlines(labels)[..., None]
            painted = torch.where(lines, self._lines[ids], painted)
        return torch.where(uncoloured[..., None], frame_bgr, painted)


def _outlines(labels: Tensor) -> Tensor:
    """Return where a border between labels is near, bool [H, W]."""
    reach = reach_px(len(labels))
    planes = torch.stack((labels, 255 - labels))[None].half()  # 0 to 255 is exact in half
    if labels.device.type == "cpu":
        planes = planes.float()
    largest, inverse_least = F.max_pool2d(planes, 2 * reach + 1, stride=1, padding=reach)[0]
    lines: Tensor = largest != 255 - inverse_least
    return lines
