"""rtseg: real-time semantic segmentation of driving scenes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtseg.api import Segmenter, stream

__version__ = "0.1.0"
__all__ = ["Segmenter", "__version__", "stream"]


def __getattr__(name: str) -> Any:
    """Load the doors for Python when they are asked for: they bring torch along."""
    if name in {"Segmenter", "stream"}:
        import rtseg.api

        return getattr(rtseg.api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
