"""The head-up display: how fast the stream is, how old the picture, what runs, what was lost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HudValues:
    """What the head-up display shows.

    Args:
        fps: pictures per second.
        age_ms: age of the last picture when it was shown, milliseconds.
        engine: the engine in one line.
        drops: frames left out so far.
        notice: what people must see now, such as "signal lost 3 s"; None: nothing.
    """

    fps: float
    age_ms: float
    engine: str
    drops: int
    notice: str | None = None
