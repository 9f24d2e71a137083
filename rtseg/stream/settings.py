"""What one stream is: every key of a file in configs/stream/."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from rtseg.config import Config
from rtseg.fit import FitMode
from rtseg.stream.cameras.cameras import CameraConfig, in_full
from rtseg.stream.engine_request import EngineConfig
from rtseg.stream.overlay.style import OverlayStyle
from rtseg.stream.pipeline import Policy
from rtseg.stream.postprocess import PostprocessConfig
from rtseg.stream.sinks.browser.settings import BrowserConfig
from rtseg.stream.sinks.recording import RecordingConfig
from rtseg.stream.sources.settings import SourceConfig

DEFAULT_MODEL = "ddrnet-23-slim-camvid"
"""The most accurate of the shipped weights, and on a CPU the fastest."""


class StreamConfig(Config):
    """A whole run: where pictures come from, what sees them, how they are drawn, where they go."""

    source: SourceConfig = Field(default_factory=SourceConfig)
    cameras: tuple[CameraConfig, ...] = Field(
        default=(),
        description="Several sources on one engine, instead of `source`: the address of each, or "
        "its keys; those that it lacks are taken from `source`. Each has outputs of its own: "
        "{camera} in a path stands for its name, else a number is put in.",
    )
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
        "http://HOST:PORT (a page for browsers), FOLDER/%06d.png, null. Empty: the window where "
        "there is a display.",
    )
    recording: RecordingConfig = Field(default_factory=RecordingConfig)
    browser: BrowserConfig = Field(default_factory=BrowserConfig)
    masks: Path | None = Field(
        default=None, description="Class ids, lossless: FILE.mkv, or a folder for PNG files."
    )
    stats: Path | None = Field(default=None, description="A JSON line for each frame.")
    mosaic: Path | None = Field(
        default=None,
        description="A recording of all cameras in one picture, as a window shows them.",
    )
    overwrite: bool = Field(default=False, description="Replace outputs that exist.")
    policy: Policy = Field(
        default="auto",
        description="What happens when the network is slower than the source. block: the source "
        "waits and every frame is shown; drop_oldest: the newest frame is shown; auto: block for "
        "files, drop_oldest for live sources.",
    )

    @model_validator(mode="before")
    @classmethod
    def _cameras_in_full(cls, values: Any) -> Any:
        return in_full(values)

    @model_validator(mode="after")
    def _mosaic_has_cameras(self) -> StreamConfig:
        if self.mosaic is not None and not self.cameras:
            raise ValueError("a mosaic shows several sources; name them, or leave the mosaic out")
        return self

    @model_validator(mode="after")
    def _rate_is_of_one_source(self) -> StreamConfig:
        if self.engine.target_fps is not None and len(self.cameras) > 1:
            raise ValueError(
                f"engine.target_fps keeps the rate of one source, and there are "
                f"{len(self.cameras)} cameras: leave it out, or run one stream for each camera"
            )
        return self
