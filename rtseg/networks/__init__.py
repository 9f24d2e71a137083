"""ROOM 3: networks. One file is one family; `NETWORKS` holds every variant by name."""

from rtseg.networks import danet as _danet  # noqa: F401
from rtseg.networks import ddrnet as _ddrnet  # noqa: F401
from rtseg.networks import deconvnet as _deconvnet  # noqa: F401
from rtseg.networks import deep_watershed as _deep_watershed  # noqa: F401
from rtseg.networks import deeplab as _deeplab  # noqa: F401
from rtseg.networks import deeplab_early as _deeplab_early  # noqa: F401
from rtseg.networks import fastfcn as _fastfcn  # noqa: F401
from rtseg.networks import fc_densenet as _fc_densenet  # noqa: F401
from rtseg.networks import fcn as _fcn  # noqa: F401
from rtseg.networks import fpn as _fpn  # noqa: F401
from rtseg.networks import frrn as _frrn  # noqa: F401
from rtseg.networks import gated_scnn as _gated_scnn  # noqa: F401
from rtseg.networks import gcn as _gcn  # noqa: F401
from rtseg.networks import icnet as _icnet  # noqa: F401
from rtseg.networks import linknet as _linknet  # noqa: F401
from rtseg.networks import pidnet as _pidnet  # noqa: F401
from rtseg.networks import pspnet as _pspnet  # noqa: F401
from rtseg.networks import refinenet as _refinenet  # noqa: F401
from rtseg.networks import segnet as _segnet  # noqa: F401
from rtseg.networks import ternausnet_v2 as _ternausnet_v2  # noqa: F401
from rtseg.networks import unet as _unet  # noqa: F401
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
