"""The one graph that every engine is made from: pictures in, class map out."""

from __future__ import annotations

import copy
from typing import Literal

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from rtseg.backends.base import OutputKind
from rtseg.errors import EngineError, InputSizeError
from rtseg.networks import padded_hw, resize_logits
from rtseg.networks.batch_norm import fold_batch_norm
from rtseg.networks.binary import object_mask, threshold_logit, with_background
from rtseg.networks.padding import pad_pictures
from rtseg.networks.trained import LARGEST_INPUT_PX, TrainedNetwork

FloatPrecision = Literal["fp32", "bf16", "fp16"]
Labelling = Literal["argmax", "running_max"]

DTYPES: dict[str, torch.dtype] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
MOST_CLASSES = 128
"""Labels leave the graph as int8."""


class DeployGraph(nn.Module):
    """A trained network with all that stands between pixels and class ids, for one input size.

    `forward` takes uint8 BGR pictures [N, H, W, 3] and returns labels int8 [N, H, W], or for
    ``output="scores"`` class scores float32 [N, K, H, W], of which the largest is the label: their
    probabilities, where K channels give them. Labels are int8 because TensorRT
    can't cast to uint8; ids are below 128, so whoever runs the graph takes the bytes as uint8.

    The network is a copy without training heads, its batch normalisation folded into the
    convolutions. In half precision its weights and its maps are bf16 or fp16; pixels are
    normalised, and logits resized, in float32. Sizes that the network can't take are padded at
    the bottom and right as the card says, and what lies over the padding is cut off, as in
    evaluation.

    A binary network's single logit is compared with that of the card's threshold, in float32. Its
    scores [N, 2, H, W] are softmax over 0 and the logit less that of the threshold, so that 0.5
    lies at the threshold and whoever takes the largest, or averages them over time, decides as the
    card says; at the threshold 0.5 they are the probabilities.

    Args:
        trained: left as it is.
        input_hw: height and width of the pictures in pixels.
        precision: number format of the network.
        output: ``"labels"`` or ``"scores"``.
        labelling: how labels are found, which are the same either way: by one operation, or by a
            chain of comparisons over the classes, which compilers turn into one pass over the
            logits, where their argmax is a sort or a loop over strided numbers.

    Raises:
        InputSizeError: the size is not positive or absurdly large.
        EngineError: more classes than an int8 can hold.
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self,
        trained: TrainedNetwork,
        input_hw: tuple[int, int],
        precision: FloatPrecision = "fp32",
        output: OutputKind = "labels",
        labelling: Labelling = "argmax",
    ) -> None:
        super().__init__()
        if not all(1 <= size <= LARGEST_INPUT_PX for size in input_hw):
            raise InputSizeError(
                f"an engine's input can't be {input_hw[0]}x{input_hw[1]} (height x width); "
                f"1 to {LARGEST_INPUT_PX} pixels are allowed"
            )
        if trained.network.num_classes > MOST_CLASSES:
            raise EngineError(
                f"{trained.card.name} has {trained.network.num_classes} classes; "
                f"engines hold up to {MOST_CLASSES}"
            )
        network = fold_batch_norm(copy.deepcopy(trained.network).remove_training_heads())
        dtype = DTYPES[precision]
        self.network = network.to(dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.dtype = dtype
        self.input_hw = input_hw
        self.padded_hw = padded_hw(input_hw, network.size_multiple, network.min_size)
        self.output = output
        self.labelling = labelling
        self.threshold = trained.card.threshold
        self.padding = trained.card.padding
        scale, shift = trained.card.normalisation.scale_shift()
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)
        self.requires_grad_(False).eval()

    def forward(self, images_bgr: Tensor) -> Tensor:
        """Return labels or scores of uint8 BGR pictures [N, H, W, 3]."""
        logits = self.logits(images_bgr)  # [N, K, H, W]
        if self.threshold is not None:
            return self._of_two_classes(logits, self.threshold)
        if self.output == "scores":
            scores: Tensor = logits.float().softmax(1)
            return scores
        if self.labelling == "running_max":
            return _running_argmax(logits)
        return logits.argmax(1).to(torch.int8)

    def _of_two_classes(self, logits: Tensor, threshold: float) -> Tensor:
        """Return labels or scores of a binary network's logits [N, 1, H, W]."""
        if self.output == "labels":
            return object_mask(logits, threshold).to(torch.int8)
        return with_background(logits.float() - threshold_logit(threshold)).softmax(1)

    def logits(self, images_bgr: Tensor) -> Tensor:
        """Return the logits [N, K, H, W] of the pictures, in float32 where they were resized."""
        height, width = self.input_hw
        logits: Tensor = self.network(self.normalised(images_bgr).to(self.dtype))
        if tuple(logits.shape[-2:]) != self.padded_hw:
            # Resize to the padded size before cutting, or the labels would slide off the picture.
            logits = resize_logits(logits.float(), self.padded_hw)
        return logits[..., :height, :width]

    def normalised(self, images_bgr: Tensor) -> Tensor:
        """Return float32 RGB [N, 3, *padded_hw], channels last, normalised and padded."""
        # TensorRT takes uint8 into a cast and nothing else, so the cast comes before the rest.
        pixels = images_bgr.to(torch.float32).permute(0, 3, 1, 2).flip(1)
        images = pixels * self.scale + self.shift
        return pad_pictures(images, self.padded_hw, self.padding)

    def resizes(self) -> bool:
        """Return whether the network's logits come at another size than its input."""
        shadow = copy.deepcopy(self.network).to("meta")
        images = torch.empty(1, 3, *self.padded_hw, device="meta", dtype=self.dtype)
        return tuple(shadow(images).shape[-2:]) != self.padded_hw

    def example(self, batch: int = 1) -> Tensor:
        """Return grey pictures of the input's shape, on the graph's device."""
        shape = (batch, *self.input_hw, 3)
        return torch.full(shape, 128, dtype=torch.uint8, device=self.scale.device)

    def exported(self, batch: int = 1) -> ExportedProgram:
        """Return the graph as a program of `torch.export`, for static shapes."""
        with torch.no_grad():
            return torch.export.export(self, (self.example(batch),), strict=False)


def _running_argmax(logits: Tensor) -> Tensor:
    """Return int8 [N, H, W], the class of the largest of [N, K, H, W]; the first of equals."""
    largest = logits[:, 0]
    labels = torch.zeros_like(largest, dtype=torch.int8)
    for index in range(1, logits.shape[1]):
        candidate = logits[:, index]
        number = torch.full((), index, dtype=torch.int8, device=logits.device)
        labels = torch.where(candidate > largest, number, labels)
        largest = torch.maximum(largest, candidate)
    return labels
