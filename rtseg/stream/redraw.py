"""A finished picture drawn once more, for views whose style changes while the stream is paused."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rtseg.frames import ClassMap, Picture
from rtseg.stream.overlay.overlay import Overlay


class Redraw:
    """Draws class maps in the style of the moment. May be called from several threads.

    Args:
        make_overlay: makes an overlay of its own, as the stream's belongs to the drawing thread;
            called when the first class map is to be drawn.
    """

    def __init__(self, make_overlay: Callable[[], Overlay]) -> None:
        self._make_overlay = make_overlay
        self._overlay: Overlay | None = None
        self._lock = threading.Lock()

    def __call__(self, class_map: ClassMap) -> Picture:
        """Return the picture of a class map; `Overlay.process` has the errors."""
        with self._lock:
            if self._overlay is None:
                self._overlay = self._make_overlay()
            return self._overlay.process(class_map)
