"""What can be set of a source: which one it is, how it is turned, and which part of it is taken."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from rtseg.config import Config

Rotate = Literal["auto", "0", "90", "180", "270"]
Flip = Literal["none", "horizontal", "vertical", "both"]


def _parse_size(value: Any) -> Any:
    """Take ``1280x720`` as well as two numbers."""
    if isinstance(value, str):
        found = re.fullmatch(r"\s*(\d+)\s*[xX*×]\s*(\d+)\s*", value)
        if found is None:
            raise ValueError("a size is WIDTHxHEIGHT, such as 1280x720")
        return int(found[1]), int(found[2])
    return value


def _parse_rotate(value: Any) -> Any:
    """Take the number 90 as well as the text."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return str(int(value)) if is_number and value == int(value) else value


class ReconnectConfig(Config):
    """How a live source that was lost is had again."""

    limit: int | None = Field(
        default=None,
        ge=0,
        description="Give up after so many failed attempts in a row; 0 ends the stream with the "
        "first loss, null tries for ever.",
    )
    first_s: float = Field(
        default=0.5,
        gt=0,
        description="Wait before the first attempt, seconds; doubled with each one that fails.",
    )
    longest_s: float = Field(
        default=10.0, gt=0, description="The longest wait between two attempts, seconds."
    )
    jitter: float = Field(
        default=0.2,
        ge=0,
        lt=1,
        description="By what part each wait is shortened or lengthened at random.",
    )
    stall_s: float = Field(
        default=2.0,
        gt=0,
        description="A silence shorter than this, seconds, or than five frame periods, is no loss.",
    )


class SourceConfig(Config):
    """A source of pictures and the part of it that is wanted."""

    uri: str = Field(
        default="demo",
        min_length=1,
        description="demo or demo:SEED, a video file, a picture, a folder or a quoted glob of "
        "pictures, a camera (0, /dev/video0), csi://0, gst://PIPELINE, or a network stream "
        "(rtsp:// http:// https:// rtmp:// srt:// udp:// tcp://).",
    )
    size_wh: Annotated[
        tuple[Annotated[int, Field(ge=16)], Annotated[int, Field(ge=16)]] | None,
        BeforeValidator(_parse_size),
    ] = Field(
        default=None,
        description="Width and height in pixels that a camera is asked for, or that the demo "
        "drive is drawn in (640x360 unless set); [1280, 720] or 1280x720.",
    )
    fps: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        description="Frames per second: what a camera is asked for, how the demo drive is drawn "
        "(30 unless set), how many pictures of a folder stand for a second (10 unless set), and "
        "what is taken for a video that doesn't say.",
    )
    fourcc: str | None = Field(
        default=None,
        pattern=r"^[ -~]{4}$",
        description="Pixel format that a camera is asked for, such as MJPG or YUYV.",
    )
    rotate: Annotated[Rotate, BeforeValidator(_parse_rotate)] = Field(
        default="auto",
        description="auto turns the picture as the file's metadata say; 0, 90, 180 or 270 turns "
        "the stored picture clockwise by so many degrees and leaves the metadata aside.",
    )
    flip: Flip = Field(
        default="none",
        description="Mirror the picture after it was turned: none, horizontal (left becomes "
        "right), vertical (top becomes bottom) or both.",
    )
    start_s: float = Field(
        default=0.0,
        ge=0,
        description="The first frame at or after this time, in seconds from the first frame.",
    )
    end_s: float | None = Field(
        default=None,
        gt=0,
        description="No frame at or after this time, in seconds from the source's first frame.",
    )
    stride: int = Field(default=1, ge=1, description="Take every n-th frame only.")
    max_frames: int | None = Field(
        default=None, ge=1, description="End after so many frames; null for all."
    )
    loop: bool | Annotated[int, Field(ge=1)] = Field(
        default=False,
        description="true goes back to the start at the end, for ever; a number plays the source "
        "so many times. The demo drive with true drives on without an end instead of going back.",
    )
    timeout_s: float = Field(
        default=5.0,
        gt=0,
        description="How long a network stream or camera may take to open, and to give frames "
        "before its rate is known, until it is taken for lost; seconds.",
    )
    wait: bool = Field(
        default=False,
        description="Wait for a live source that can't be opened at first, as for one that was "
        "lost, instead of ending with an error.",
    )
    reconnect: ReconnectConfig = Field(
        default_factory=ReconnectConfig, description="How a live source that was lost is had again."
    )
    duration_s: float | None = Field(
        default=10.0,
        gt=0,
        description="How long the demo drive is, seconds (10 s are 300 frames), so that a "
        "recording of it ends; null for no end. Other sources have an end of their own.",
    )

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> SourceConfig:
        if self.end_s is not None and self.end_s <= self.start_s:
            raise ValueError(
                f"end_s ({self.end_s:g}) must be later than start_s ({self.start_s:g})"
            )
        return self
