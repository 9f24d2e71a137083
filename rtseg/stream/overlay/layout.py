"""Sizes of everything that is written on a picture: they grow with it, and stay readable."""

from __future__ import annotations

from dataclasses import dataclass, field

from rtseg.stream.overlay.lettering import Lettering

TEXT_SHARE = 1 / 42
"""Text size as a share of the picture's shorter side."""
SMALLEST_TEXT_PX = 10.0


@dataclass(frozen=True)
class Layout:
    """The measures of one size of picture, pixels.

    Args:
        height: of the picture.
        width: of the picture.
    """

    height: int
    width: int
    letters: Lettering = field(init=False, compare=False, repr=False)
    margin: int = field(init=False, compare=False)
    """Between the picture's edge and a panel."""
    pad: int = field(init=False, compare=False)
    """Between a panel's edge and its text."""
    pitch: int = field(init=False, compare=False)
    """From row to row."""
    corner: int = field(init=False, compare=False)
    """Radius of a panel's corners."""

    @property
    def hw(self) -> tuple[int, int]:
        """Height and width of the picture."""
        return self.height, self.width

    def __post_init__(self) -> None:
        text_px = max(SMALLEST_TEXT_PX, min(self.height, 0.75 * self.width) * TEXT_SHARE)
        for name, value in {
            "letters": Lettering(text_px),
            "margin": round(0.9 * text_px),
            "pad": round(0.7 * text_px),
            "pitch": round(1.5 * text_px),
            "corner": round(0.5 * text_px),
        }.items():
            object.__setattr__(self, name, value)
