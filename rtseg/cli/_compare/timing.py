"""How long a network takes for one picture: in the form that it would be deployed in, in PyTorch.

Latency doesn't depend on what the weights are, so they are drawn. Synchronises with the device
after every pass.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor

from rtseg.cli._compare.result import Timing
from rtseg.device import autocast, device_title, pick_device, pick_precision, precision_name
from rtseg.networks import SegmentationNetwork, build_network, resize_logits
from rtseg.networks.batch_norm import fold_batch_norm
from rtseg.training.comparison import ComparisonConfig, LatencyConfig, fitted_hw

FEWEST_PASSES = 2


def time_network(name: str, num_classes: int, recipe: ComparisonConfig, device: str) -> Timing:
    """Time one repetition.

    The network has no training heads, its batch normalisation is folded into the convolutions, and
    channels are innermost in memory. A pass ends with the class map at the picture's size.

    Args:
        name: of the network.
        num_classes: K.
        recipe: says at which size, how often and in which precision.
        device: "auto", "cpu", "cuda" or "cuda:N".
    """
    target = pick_device(device)
    dtype = pick_precision(recipe.precision, target)
    hw = fitted_hw(name, recipe.latency.input_hw)
    network = deployed(name, num_classes, target)
    images = torch.rand(1, 3, *hw, device=target).to(memory_format=torch.channels_last)
    # One context for all passes: weights are brought to the precision once, as an engine's are.
    with torch.no_grad(), autocast(target, dtype):
        wall_ms, cpu_ms = _passes(network, images, recipe.latency)
    return Timing(
        input_hw=hw,
        hardware=device_title(target),
        precision=precision_name(dtype),
        wall_ms=tuple(wall_ms),
        cpu_ms=tuple(cpu_ms),
    )


def deployed(name: str, num_classes: int, device: torch.device) -> SegmentationNetwork:
    """Return a network with drawn weights as it would be deployed."""
    network = build_network(name, num_classes).remove_training_heads()
    folded = fold_batch_norm(network).to(device)
    folded.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return folded


def _passes(
    network: SegmentationNetwork, images: Tensor, latency: LatencyConfig
) -> tuple[list[float], list[float]]:
    """Return wall and CPU milliseconds of each pass but the first, which warms up."""
    wall_ms: list[float] = []
    cpu_ms: list[float] = []
    _label(network, images)
    began = time.perf_counter()
    while len(wall_ms) < latency.passes:
        if len(wall_ms) >= FEWEST_PASSES and time.perf_counter() - began > latency.longest_s:
            break
        wall_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
        _label(network, images)
        cpu_ms.append(round((time.process_time_ns() - cpu_ns) / 1e6, 3))
        wall_ms.append(round((time.perf_counter_ns() - wall_ns) / 1e6, 3))
    return wall_ms, cpu_ms


def _label(network: SegmentationNetwork, images: Tensor) -> Tensor:
    height, width = images.shape[-2:]
    labels = resize_logits(network(images).float(), (height, width)).argmax(1)
    if images.is_cuda:
        torch.cuda.synchronize(images.device)
    return labels
