"""What a network says about the objects of a picture: its maps, made into objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from rtseg.device import autocast, pick_precision
from rtseg.errors import ConfigError
from rtseg.instances.border_watershed import BorderWatershedConfig, border_watershed
from rtseg.instances.components import MIN_AREA_PX, connected_instances
from rtseg.instances.deep_watershed import DeepWatershedConfig, deep_watershed
from rtseg.instances.instance_map import Float32, InstanceMap
from rtseg.networks import MAIN, SegmentationNetwork, padded_hw, resize_logits
from rtseg.networks.padding import Padding, pad_pictures
from rtseg.training.predictor import LabelMap, Picture, Predictor, evaluating, scaled_picture

Method = Literal["auto", "components", "energy", "border"]
"""How objects are found: connected parts of a class, or by the network's own maps."""


def method_of(network: SegmentationNetwork, method: Method = "auto") -> Method:
    """Return how a network's objects are found; "auto" takes the best that it has maps for.

    Raises:
        ConfigError: the network has no such maps.
    """
    targets = {head.target for head in network.heads.values()}
    own: list[Method] = [name for name in ("energy", "border") if name in targets]
    if method == "auto":
        return own[0] if own else "components"
    if method != "components" and method not in own:
        raise ConfigError(
            f"{type(network).__name__} has no maps for {method!r}; it takes "
            f"{', '.join([*own, 'components'])}"
        )
    return method


def predict_maps(
    network: SegmentationNetwork,
    images: Tensor,
    output_hw: tuple[int, int],
    padding: Padding = "mean",
) -> dict[str, Tensor]:
    """Return "main" and the maps of the instance heads, float32 [N, C, *output_hw], by name.

    As `rtseg.training.predictor.predict_logits` for all that `forward_instances` returns.
    """
    height, width = images.shape[-2:]
    padded = padded_hw((height, width), network.size_multiple, network.min_size)
    images = pad_pictures(images, padded, padding).contiguous(memory_format=torch.channels_last)
    maps = {}
    for name, each in network.forward_instances(images).items():
        each = resize_logits(each.float(), padded)[..., :height, :width]
        if (height, width) != output_hw:
            each = F.interpolate(each, output_hw, mode="bilinear", align_corners=False)
        maps[name] = each
    return maps


@dataclass(frozen=True, slots=True)
class InstancePredictor:
    """A predictor with all that turns its maps into objects.

    Args:
        predictor: of one channel for each class, without flipping.
        things: ids of the countable classes.
        method: how objects are found.
        min_area_px: smaller objects are dropped.

    Raises:
        ConfigError: the network can't do that.
    """

    predictor: Predictor
    things: tuple[int, ...]
    method: Method = "auto"
    min_area_px: int = MIN_AREA_PX

    def __post_init__(self) -> None:
        object.__setattr__(self, "method", method_of(self.predictor.network, self.method))
        if self.predictor.flip or self.predictor.threshold is not None:
            raise ConfigError(
                "objects are found in one pass of a network with a channel for each class: leave "
                "out --flip, and take no binary network"
            )

    def find(self, images_bgr: Sequence[Picture]) -> list[tuple[LabelMap, InstanceMap]]:
        """Return labels uint8 [H, W] and objects of each uint8 BGR picture; all of one size."""
        maps = self._maps(images_bgr)
        chances, labels = maps[MAIN].softmax(1).topk(1, dim=1)
        confidence = chances[:, 0].cpu().numpy()
        found = labels[:, 0].to(torch.uint8).cpu().numpy()
        return [
            (found[place], self._objects(maps, place, found[place], confidence[place]))
            for place in range(len(images_bgr))
        ]

    def _maps(self, images_bgr: Sequence[Picture]) -> dict[str, Tensor]:
        predictor = self.predictor
        height, width = images_bgr[0].shape[:2]
        batch = np.stack([scaled_picture(image, predictor.input_hw) for image in images_bgr])
        images = predictor.normalisation(torch.from_numpy(batch).to(predictor.device))
        dtype = pick_precision(predictor.precision, predictor.device)
        with evaluating(predictor.network), autocast(predictor.device, dtype):
            return predict_maps(predictor.network, images, (height, width), predictor.padding)

    def _objects(
        self, maps: dict[str, Tensor], place: int, labels: LabelMap, confidence: Float32
    ) -> InstanceMap:
        if self.method == "components":
            return connected_instances(labels, self.things, confidence, self.min_area_px)
        name = self._head_of(self.method)
        if self.method == "energy":
            energy = maps[name][place].argmax(0).to(torch.uint8).cpu().numpy()
            cut = DeepWatershedConfig(min_area_px=self.min_area_px)
            return deep_watershed(labels, energy, self.things, cut, confidence)
        border = maps[name][place, 0].sigmoid().cpu().numpy()
        flood = BorderWatershedConfig(min_area_px=self.min_area_px)
        return border_watershed(labels, border, self.things, flood, confidence)

    def _head_of(self, target: str) -> str:
        heads = self.predictor.network.heads
        return next(name for name, head in heads.items() if head.target == target)
