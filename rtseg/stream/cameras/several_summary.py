"""What several cameras did: the figures that stand at their end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rtseg.stream.summary import Summary


@dataclass(frozen=True, slots=True)
class CameraResult:
    """One camera's part.

    Args:
        key: what it is called in names of files.
        name: what people call it.
        summary: its figures; None where it couldn't be opened.
        error: what ended it; None where it came to its end or was told to stop.
    """

    key: str
    name: str
    summary: Summary | None
    error: BaseException | None

    @property
    def failure(self) -> str | None:
        """What ended it, in one line."""
        if self.error is None:
            return None
        return " ".join(str(self.error).split()) or type(self.error).__name__


@dataclass(frozen=True, slots=True)
class SeveralSummary:
    """A finished run of several cameras in figures.

    Args:
        cameras: one result each, in their order.
    """

    cameras: tuple[CameraResult, ...]

    @property
    def fps(self) -> float:
        """Pictures a second of all cameras together, each over its own run."""
        return sum(one.summary.fps for one in self.cameras if one.summary is not None)

    @property
    def pictures(self) -> int:
        """How many pictures all cameras showed."""
        return sum(one.summary.pictures for one in self.cameras if one.summary is not None)

    @property
    def failures(self) -> dict[str, str]:
        """What ended the cameras that failed, by their names."""
        return {one.name: one.failure for one in self.cameras if one.failure is not None}

    def to_dict(self) -> dict[str, Any]:
        """Return a form that JSON can hold."""
        cameras = [
            {
                "key": one.key,
                "name": one.name,
                "failure": one.failure,
                **(one.summary.to_dict() if one.summary is not None else {}),
            }
            for one in self.cameras
        ]
        return {"fps": self.fps, "pictures": self.pictures, "cameras": cameras}
