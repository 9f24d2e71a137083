"""A frame's way from camera to screen: capture, preprocess, engine, postprocess, overlay, sinks.

Calling this package is calling `rtseg.api.stream`, so that ``rtseg.stream("dash.mp4")`` works
whether or not a part of the package was imported before: the two share a name.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import cv2  # noqa: F401  (where PyAV is loaded before it, the windows of some OpenCVs hang)


class _CallableRoom(ModuleType):
    def __call__(self, *args: Any, **settings: Any) -> Iterator[Any]:
        # Looked up at the call: the room knows nothing of the doors above it.
        pictures: Iterator[Any] = importlib.import_module("rtseg.api").stream(*args, **settings)
        return pictures


sys.modules[__name__].__class__ = _CallableRoom
