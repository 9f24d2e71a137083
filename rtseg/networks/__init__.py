"""ROOM 3: networks. One file is one family; `NETWORKS` holds every variant by name."""

from rtseg.networks.network import (
    MAIN,
    NETWORKS,
    NetworkCard,
    NetworkEntry,
    SegmentationNetwork,
    TrainingHead,
    build_network,
    padded_hw,
)

__all__ = [
    "MAIN",
    "NETWORKS",
    "NetworkCard",
    "NetworkEntry",
    "SegmentationNetwork",
    "TrainingHead",
    "build_network",
    "padded_hw",
]
