"""What one stream is: every key of a file in configs/stream/."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from rtseg.config import Config
from rtseg.fit import FitMode
from rtseg.stream.engine_request import EngineConfig
from rtseg.stream.overlay.style import OverlayStyle
from rtseg.stream.pipeline import Policy
from rtseg.stream.postprocess import PostprocessConfig
from rtseg.stream.sinks.recording import RecordingConfig
from rtseg.stream.sources.settings import SourceConfig

DEFAULT_MODEL = "ddrnet-23-slim-camvid"
"""The most accurate of the shipped weights, and on a CPU the fastest."""


class StreamConfig(Config):
    """A whole run: where pictures come from, what sees them, how they are drawn, where they go."""

    source: SourceConfig = Field(default_factory=SourceConfig)
    model: str = Field(
        default=DEFAULT_MODEL,
        description="Shipped weights, a .safetensors file, a training's folder, or the folder of "
        "a built engine.",
    )
    engine: EngineConfig = Field(default_factory=EngineConfig)
    fit: Literal["auto"] | FitMode = Field(
        default="auto",
        description="How a frame becomes the engine's input: stretch, letterbox or crop; auto: "
        "stretch where the proportions agree within 2 %, else letterbox.",
    )
    postprocess: PostprocessConfig = Field(default_factory=PostprocessConfig)
    overlay: OverlayStyle = Field(default_factory=OverlayStyle)
    outputs: tuple[str, ...] = Field(
        default=(),
        description="Where pictures go, as many as wanted: FILE.mp4, .mkv or .mov, window, "
        "FOLDER/%06d.png, null. Empty: the window where there is a display.",
    )
    recording: RecordingConfig = Field(default_factory=RecordingConfig)
    masks: Path | None = Field(
        default=None, description="Class ids, lossless: FILE.mkv, or a folder for PNG files."
    )
    stats: Path | None = Field(default=None, description="A JSON line for each frame.")
    overwrite: bool = Field(default=False, description="Replace outputs that exist.")
    policy: Policy = Field(
        default="auto",
        description="What happens when the network is slower than the source. block: the source "
        "waits and every frame is shown; drop_oldest: the newest frame is shown; auto: block for "
        "files, drop_oldest for live sources.",
    )
