"""Count a network: parameters, and multiply-adds of one picture.

Convention: 1 MAC = one multiplication and one addition = 2 FLOPs. Convolutions, transposed
convolutions and matrix products count; biases, normalisation, activations, pooling and resizing
don't. Papers mix both units under the name FLOPs.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from rtseg.networks.network import NETWORKS, SegmentationNetwork

CONVENTION = "1 MAC = 2 FLOPs; convolutions, transposed convolutions and matrix products"
"""What the figures of this module mean, to print beside them."""


@dataclass(frozen=True, slots=True)
class NetworkCount:
    """What a deployed network holds and what one picture costs.

    Args:
        parameters: trainable parameters, those of instance heads too, training heads not.
        gmacs: multiply-adds of one picture, in 10^9.
        hw: height and width of that picture.
    """

    parameters: int
    gmacs: float
    hw: tuple[int, int]

    def __str__(self) -> str:
        return (
            f"{self.parameters / 1e6:.2f} M parameters, {self.gmacs:.2f} GMACs at "
            f"{self.hw[0]}x{self.hw[1]} ({CONVENTION})"
        )


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters of a module as it is."""
    return sum(each.numel() for each in network.parameters() if each.requires_grad)


def count_gmacs(network: nn.Module, hw: tuple[int, int]) -> float:
    """Return the multiply-adds, in 10^9, of one picture of height and width `hw`.

    Runs a copy on the meta device: no arithmetic is done and no activation is stored.

    Raises:
        InputSizeError: the network can't take pictures of that size.
    """
    shadow = copy.deepcopy(network).to("meta", torch.float32).eval()
    run = shadow.forward_instances if isinstance(shadow, SegmentationNetwork) else shadow
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run(torch.empty(1, 3, *hw, device="meta"))
    return counter.get_total_flops() / 2e9


def count_network(network: SegmentationNetwork, hw: tuple[int, int]) -> NetworkCount:
    """Return both figures of the deployed network, the maps of instance heads included.

    `network` itself keeps its training heads.
    """
    deployed = copy.deepcopy(network).to("meta").remove_training_heads(keep_instances=True)
    return NetworkCount(count_parameters(deployed), count_gmacs(deployed, hw), hw)


def count_registered(name: str) -> NetworkCount:
    """Count the network registered as `name` at the size and classes of its card.

    Raises:
        UnknownNameError: no network is registered as `name`.
    """
    entry = NETWORKS[name]
    with torch.device("meta"):
        network = entry.build(entry.card.count_classes)
    return count_network(network, entry.card.count_hw)
