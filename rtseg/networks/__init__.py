"""ROOM 3: networks. One file is one family; `NETWORKS` holds every variant by name."""

from rtseg.networks import ddrnet as _ddrnet  # noqa: F401
from rtseg.networks import deeplab as _deeplab  # noqa: F401
from rtseg.networks import icnet as _icnet  # noqa: F401
from rtseg.networks import linknet as _linknet  # noqa: F401
from rtseg.networks import pidnet as _pidnet  # noqa: F401
from rtseg.networks.network import (
    MAIN,
    NETWORKS,
    NetworkCard,
    NetworkEntry,
    SegmentationNetwork,
    TrainingHead,
    build_network,
    padded_hw,
    resize_logits,
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
    "resize_logits",
]
