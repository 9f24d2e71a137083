"""How long to wait before the next attempt to open a source that was lost."""

from __future__ import annotations

import random

from rtseg.stream.sources.settings import ReconnectConfig


class BackOff:
    """Waits that double from one failed attempt to the next, up to a longest one.

    Each is shortened or lengthened at random, so that a hundred readers of a server that comes
    back don't all ask at the same moment.

    Args:
        config: the first and the longest wait, and how much of it is left to chance.
    """

    def __init__(self, config: ReconnectConfig) -> None:
        self._config = config
        self._next_s = config.first_s

    def next_s(self) -> float:
        """Return how long to wait now, seconds."""
        wait_s, jitter = self._next_s, self._config.jitter
        self._next_s = min(2 * wait_s, max(self._config.longest_s, self._config.first_s))
        return wait_s * random.uniform(1 - jitter, 1 + jitter)

    def reset(self) -> None:
        """Begin again with the first wait: a picture has come."""
        self._next_s = self._config.first_s
