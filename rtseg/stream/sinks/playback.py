"""When the pictures of a file are due in a view that shows it at its own speed."""

from __future__ import annotations

import time

_MAX_LAG_S = 0.25


class Playback:
    """Begins with the first picture; one that is far behind (a pause) goes on from now."""

    def __init__(self) -> None:
        self._starts_at_s: float | None = None
        """When, on the monotonic clock, the picture at 0 s was or would have been due."""

    def due_s(self, pts_s: float) -> float:
        """Return when a picture is due, on the monotonic clock, seconds.

        Args:
            pts_s: its time on the source's own clock.
        """
        now_s = time.monotonic()
        if self._starts_at_s is None or now_s - (self._starts_at_s + pts_s) > _MAX_LAG_S:
            self._starts_at_s = now_s - pts_s
        return self._starts_at_s + pts_s
