"""What a stream did: the figures that stand at its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rtseg.stream.latency import Percentiles
from rtseg.stream.pace.pace import PaceFigures


@dataclass(frozen=True, slots=True)
class Summary:
    """A finished stream in figures.

    Args:
        source: its name.
        engine: the engine in one line.
        reason: why this engine was chosen.
        pictures: how many were shown.
        drops: frames that were left out, by the stage that they didn't reach.
        wall_s: seconds from the first frame's capture to the end.
        startup_s: seconds from the start of the run until the first picture was done.
        age: milliseconds from capture to picture, of every frame.
        stages: milliseconds of each stage, in the order of the way, and of waiting between them.
        shares: what part (0-1) of all frame ages each stage and waiting made up.
        accuracy: shares 0-1 against the source's truth, where it has one.
        outputs: the outputs that were written.
        problems: lines about what went wrong without ending the stream.
        stopped: it was told to stop before its source ended.
        pace: what the governor did, where a rate was to be kept.
    """

    source: str
    engine: str
    reason: str
    pictures: int
    drops: Mapping[str, int]
    wall_s: float
    startup_s: float
    age: Percentiles
    stages: Mapping[str, Percentiles]
    shares: Mapping[str, float]
    accuracy: Mapping[str, float]
    outputs: tuple[str, ...]
    problems: tuple[str, ...]
    stopped: bool
    pace: PaceFigures | None = None

    @property
    def fps(self) -> float:
        """Pictures a second over the whole run, start-up left out."""
        return self.pictures / self.wall_s if self.wall_s > 0 else 0.0

    @property
    def dropped(self) -> int:
        """Frames that were left out anywhere."""
        return sum(self.drops.values())

    def to_dict(self) -> dict[str, Any]:
        """Return a form that JSON can hold."""
        return {**asdict(self), "fps": self.fps, "dropped": self.dropped}
