"""rtseg: real-time semantic segmentation of driving scenes."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtseg.api import Segmenter, stream

__version__ = "0.1.0"
__all__ = ["Segmenter", "__version__", "stream"]


def __getattr__(name: str) -> Any:
    """Load the doors for Python when they are asked for: they bring torch along."""
    if name == "Segmenter":
        return importlib.import_module("rtseg.api").Segmenter
    if name == "stream":  # the package of that name can be called
        return importlib.import_module("rtseg.stream")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
