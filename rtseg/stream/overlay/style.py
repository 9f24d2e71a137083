"""How the overlay is drawn: every key of `overlay:` in a stream's configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rtseg.config import Config

OverlayMode = Literal["overlay", "mask", "side-by-side", "picture"]


class OverlayStyle(Config):
    """How a frame and its class map become a picture."""

    mode: OverlayMode = Field(
        default="overlay",
        description="overlay: colours laid over the frame; mask: colours alone; side-by-side: "
        "frame and overlay; picture: the frame alone.",
    )
    alpha: float = Field(default=0.5, ge=0, le=1, description="How strong the colours are.")
    palette: Literal["classes", "colour-blind"] = Field(
        default="classes",
        description="classes: the class set's own colours; colour-blind: hues that people with "
        "any common colour blindness tell apart.",
    )
    classes: tuple[str, ...] = Field(
        default=(), description="Only these classes are coloured; empty: all."
    )
    hide: tuple[str, ...] = Field(default=(), description="These classes are not coloured.")
    outlines: bool = Field(default=False, description="Draw lines along the class borders.")
    instances: bool = Field(
        default=False,
        description="Draw a line around each car, person, bicycle, …, every one in its own colour.",
    )
    legend: bool = Field(default=True, description="Names, colours and shares of the classes.")
    hud: bool = Field(default=True, description="Rate, frame age, engine and drops.")
