"""Cutting crops out of pictures and labels by an affine map: on the host, or on the device.

A map is a 2x3 matrix that takes the pixel position (x, y) in the crop to the pixel position in the
source picture; integer positions are pixel centres. Pictures are sampled bilinearly, labels take
the nearest pixel, and what lies outside the source is filled with a colour, or with the source's
mirror image, and with `VOID`.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rtseg.classes import VOID

UInt8 = npt.NDArray[np.uint8]
UInt16 = npt.NDArray[np.uint16]
Matrix = npt.NDArray[np.float64]
Fill = tuple[int, int, int] | None
"""The colour of what lies outside; None for the source's mirror image, its edge not repeated."""


def warp_on_host(
    image_bgr: UInt8, labels: UInt8, matrix: Matrix, crop_hw: tuple[int, int], fill_bgr: Fill
) -> tuple[UInt8, UInt8]:
    """Cut one crop out of a picture [H, W, 3] and its labels [H, W] with OpenCV."""
    height, width = crop_hw
    image = cv2.warpAffine(
        image_bgr,
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101 if fill_bgr is None else cv2.BORDER_CONSTANT,
        borderValue=fill_bgr or (0, 0, 0),
    )
    crop = cv2.warpAffine(
        labels,
        matrix,
        (width, height),
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=VOID,
    )
    return image, crop  # type: ignore[return-value]  # warpAffine keeps the dtype


def warp_ids_on_host(ids: UInt16, matrix: Matrix, crop_hw: tuple[int, int]) -> UInt16:
    """Cut one crop out of a picture's objects [H, W], as its labels; 0 lies outside."""
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    crop = cv2.warpAffine(
        ids, matrix, crop_hw[::-1], flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=0
    )
    return np.asarray(crop, np.uint16)


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Bring a host tensor to `device`; a copy to a GPU is pinned and isn't waited for."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


class DevicePixels:
    """All pictures and labels in two flat tensors on one device; sizes may differ.

    Nothing here waits for the device: the launches go to its current stream.

    Args:
        images_bgr: uint8 [H, W, 3] each.
        labels: uint8 [H, W] each, of the same sizes.
    """

    def __init__(
        self, images_bgr: Sequence[UInt8], labels: Sequence[UInt8], device: torch.device
    ) -> None:
        sizes = [image.shape[:2] for image in images_bgr]
        ends = np.cumsum([height * width for height, width in sizes])
        self.pixels = torch.empty((int(ends[-1]), 3), dtype=torch.uint8, device=device)
        self.labels = torch.empty(int(ends[-1]), dtype=torch.uint8, device=device)
        starts = [0, *ends[:-1].tolist()]
        for image, label, start, end in zip(images_bgr, labels, starts, ends.tolist(), strict=True):
            self.pixels[start:end] = torch.from_numpy(image).view(-1, 3)
            self.labels[start:end] = torch.from_numpy(label).view(-1)
        table = [(start, h, w) for start, (h, w) in zip(starts, sizes, strict=True)]
        self._table = torch.tensor(table, dtype=torch.int64, device=device)

    @property
    def num_bytes(self) -> int:
        """How much device memory the pixels and labels take."""
        return self.pixels.numel() + self.labels.numel()

    def warp(
        self, indices: Tensor, matrices: Tensor, crop_hw: tuple[int, int], fill_bgr: Fill
    ) -> tuple[Tensor, Tensor]:
        """Cut one crop out of each of N pictures.

        Args:
            indices: int64 [N], on the device.
            matrices: float32 [N, 2, 3], on the device.

        Returns:
            float32 pictures [N, h, w, 3], BGR, 0-255, and uint8 labels [N, h, w].
        """
        x, y = _source_positions(matrices, crop_hw)
        start, height, width = (column.view(-1, 1, 1) for column in self._table[indices].unbind(1))
        left, top = x.floor(), y.floor()
        right_share, lower_share = (x - left).unsqueeze(-1), (y - top).unsqueeze(-1)
        fill = to_device(torch.tensor(fill_bgr or (0, 0, 0), dtype=torch.float32), x.device)

        def pixels_at(column: Tensor, row: Tensor) -> Tensor:
            if fill_bgr is None:
                column, row = _mirrored(column, width), _mirrored(row, height)
            inside, position = _flat_positions(column, row, start, height, width)
            return torch.where(inside.unsqueeze(-1), self.pixels[position].float(), fill)

        upper = pixels_at(left, top).lerp(pixels_at(left + 1, top), right_share)
        lower = pixels_at(left, top + 1).lerp(pixels_at(left + 1, top + 1), right_share)
        nearest_x, nearest_y = (x + 0.5).floor(), (y + 0.5).floor()
        inside, position = _flat_positions(nearest_x, nearest_y, start, height, width)
        labels = torch.where(inside, self.labels[position], VOID)
        return upper.lerp(lower, lower_share), labels


def _source_positions(matrices: Tensor, crop_hw: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the source x and y [N, h, w] of every crop pixel."""
    rows = torch.arange(crop_hw[0], device=matrices.device, dtype=torch.float32).view(1, -1, 1)
    columns = torch.arange(crop_hw[1], device=matrices.device, dtype=torch.float32).view(1, 1, -1)
    a, b, c, d, e, f = (value.view(-1, 1, 1) for value in matrices.flatten(1).unbind(1))
    return a * columns + b * rows + c, d * columns + e * rows + f


def _mirrored(position: Tensor, size: Tensor) -> Tensor:
    """Bring whole positions into 0 … size - 1, mirrored at the middle of both edge pixels."""
    last = size - 1
    folded = position.remainder(2 * last.clamp_min(1))
    return torch.minimum(torch.minimum(folded, 2 * last - folded).clamp_min(0), last)


def _flat_positions(
    column: Tensor, row: Tensor, start: Tensor, height: Tensor, width: Tensor
) -> tuple[Tensor, Tensor]:
    """Return whether each position lies in its picture, and where in the flat tensor it is."""
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    column = torch.minimum(column.clamp_min(0).long(), width - 1)
    row = torch.minimum(row.clamp_min(0).long(), height - 1)
    return inside, start + row * width + column
