"""What a network says about a picture: from BGR pixels to logits and labels of any size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rtseg.dense_crf import DenseCrfConfig, dense_crf
from rtseg.device import autocast, pick_precision
from rtseg.networks import SegmentationNetwork, padded_hw, resize_logits
from rtseg.networks.binary import object_mask
from rtseg.networks.normalisation import Normalisation
from rtseg.networks.padding import Padding, pad_pictures

Picture = npt.NDArray[np.uint8]
LabelMap = npt.NDArray[np.uint8]


def predict_logits(
    network: SegmentationNetwork,
    images: Tensor,
    output_hw: tuple[int, int],
    flip: bool = False,
    padding: Padding = "mean",
) -> Tensor:
    """Return float32 logits [N, K, *output_hw] of normalised RGB `images` [N, 3, H, W].

    Sizes that the network can't take are padded at the bottom and right; what lies over the padding
    is cut off. Resizing is bilinear with align_corners=False.

    Args:
        network: in evaluation mode; it sees whatever autocast and gradient mode the caller set.
        images: on the network's device.
        output_hw: height and width of the result.
        flip: also run the mirrored picture and average the two logits (not the probabilities).
        padding: with the mean colour, or the picture's mirror image.
    """
    logits = _logits_at_input_size(network, images, padding)
    if flip:
        mirrored = _logits_at_input_size(network, images.flip(-1), padding)
        logits = (logits + mirrored.flip(-1)) / 2
    if tuple(logits.shape[-2:]) == output_hw:
        return logits
    return F.interpolate(logits, output_hw, mode="bilinear", align_corners=False)


def _logits_at_input_size(network: SegmentationNetwork, images: Tensor, padding: Padding) -> Tensor:
    height, width = images.shape[-2:]
    padded = padded_hw((height, width), network.size_multiple, network.min_size)
    images = pad_pictures(images, padded, padding).contiguous(memory_format=torch.channels_last)
    # Resize to the padded size before cutting, or the labels would slide off the picture.
    return resize_logits(network(images).float(), padded)[..., :height, :width]


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put every module in evaluation mode, and back in the mode that it had."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        # No inference_mode: buffers that a network makes on first use would be no good to training.
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


@dataclass(frozen=True, slots=True)
class Predictor:
    """A network with all that turns pictures into label maps.

    Args:
        network: on `device`.
        normalisation: the one that it was trained with.
        device: where it runs.
        precision: "fp32", "bf16" or "auto", as in `rtseg.device.pick_precision`.
        flip: average the logits of the picture and its mirror image.
        input_hw: the size that pictures are brought to for the network; None keeps their own.
        threshold: of a binary network, as in its card; None for one channel for each class.
        padding: how pictures of sizes that the network can't take are made larger.
        crf: refine what the network says by a dense CRF, at the pictures' own size.
    """

    network: SegmentationNetwork
    normalisation: Normalisation
    device: torch.device
    precision: str = "fp32"
    flip: bool = False
    input_hw: tuple[int, int] | None = None
    threshold: float | None = None
    padding: Padding = "mean"
    crf: DenseCrfConfig | None = None

    def labels(self, images_bgr: Sequence[Picture]) -> LabelMap:
        """Return uint8 labels [N, H, W] of N uint8 BGR pictures [H, W, 3] of one size.

        Waits for the device.
        """
        return self.decided(self.logits(images_bgr))

    def decided(self, logits: Tensor) -> LabelMap:
        """Return uint8 labels [N, H, W] of logits [N, K, H, W]; waits for the device."""
        threshold = self.threshold
        labels = logits.argmax(1) if threshold is None else object_mask(logits, threshold)
        found: LabelMap = labels.to(torch.uint8).cpu().numpy()
        return found

    def logits(self, images_bgr: Sequence[Picture]) -> Tensor:
        """Return float32 logits [N, K, H, W] of N uint8 BGR pictures, on the device."""
        height, width = images_bgr[0].shape[:2]
        batch = np.stack([scaled_picture(image, self.input_hw) for image in images_bgr])
        images = self.normalisation(torch.from_numpy(batch).to(self.device))
        dtype = pick_precision(self.precision, self.device)
        with evaluating(self.network), autocast(self.device, dtype):
            logits = predict_logits(self.network, images, (height, width), self.flip, self.padding)
        return logits if self.crf is None else _refined(logits, images_bgr, self.crf)


def _refined(logits: Tensor, images_bgr: Sequence[Picture], config: DenseCrfConfig) -> Tensor:
    """Return the logits that the dense CRF makes of logits [N, K, H, W]."""
    pictures = torch.from_numpy(np.stack(images_bgr)).to(logits.device)
    binary = logits.shape[1] == 1
    scores = torch.cat([torch.zeros_like(logits), logits], 1) if binary else logits
    found = dense_crf(scores, pictures, config).clamp(min=torch.finfo(torch.float32).tiny).log()
    return found[:, 1:] - found[:, :1] if binary else found


def scaled_picture(image_bgr: Picture, hw: tuple[int, int] | None) -> Picture:
    """Return the picture at `hw` (area average where it shrinks, else bilinear); None keeps it."""
    if hw is None or image_bgr.shape[:2] == hw:
        return image_bgr
    shrinks = hw[0] * hw[1] < image_bgr.shape[0] * image_bgr.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image_bgr, hw[::-1], interpolation=method), np.uint8)
