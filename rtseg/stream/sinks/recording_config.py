"""What can be set of recordings."""

from __future__ import annotations

from pydantic import ByteSize, Field, model_validator

from rtseg.config import Config
from rtseg.stream.sinks.encoder import EncoderName, Preset


class RecordingConfig(Config):
    """How recordings are made."""

    encoder: EncoderName = Field(
        default="auto",
        description="auto: libx264, or the first hardware encoder that opens where it is missing.",
    )
    preset: Preset = Field(
        default="veryfast",
        description="Speed against size, in x264's names; ultrafast takes 0.4 of veryfast's time "
        "and makes files twice as large.",
    )
    crf: float = Field(
        default=23.0,
        ge=0,
        le=51,
        description="Constant quality: 18 looks like the original, 23 is good, 28 is small.",
    )
    audio: bool = Field(default=True, description="Keep the source's sound.")
    keyframe_s: float = Field(
        default=1.0,
        gt=0,
        le=60,
        description="Seconds between pictures that a player can jump to.",
    )
    threads: int = Field(
        default=0,
        ge=0,
        le=64,
        description="Cores for the encoder; 0: a quarter of the machine's, at least one.",
    )
    segment_s: float | None = Field(
        default=None,
        ge=1,
        le=86400,
        description="Record in segments of so many seconds, each a file of its own beside a "
        "sidecar of JSON lines; null: one file.",
    )
    keep: ByteSize | None = Field(
        default=None,
        gt=0,
        description="What the segments of a recording may take on the disk, in bytes or as 20GB, "
        "500MB, 2TiB; the oldest go first. null: as much as there is.",
    )
    keep_hours: float | None = Field(
        default=None,
        gt=0,
        description="Segments that ended longer ago are deleted, hours; null: none are.",
    )
    raw: bool = Field(
        default=False,
        description="Also keep the camera's own stream, as it came and without labels, in "
        "Matroska beside the recording.",
    )

    @model_validator(mode="after")
    def _keeps_segments(self) -> RecordingConfig:
        if self.segment_s is None and (self.keep is not None or self.keep_hours is not None):
            raise ValueError(
                "keep and keep_hours delete the oldest segments: set segment_s as well, such as "
                "--segment 60"
            )
        return self
