"""What a stream asks of whoever opens its engine; the stream itself knows no network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from rtseg.backends.base import Engine, OutputKind, Parallelism
from rtseg.config import Config

Precision = Literal["auto", "fp32", "fp16", "bf16", "int8"]
Priority = Literal["auto", "latency", "throughput"]
SizeWH = tuple[int, int]


class EngineConfig(Config):
    """Which compiled network runs, and on what."""

    backend: str = Field(
        default="auto", description="auto: the best that works here; or a backend's name."
    )
    precision: Precision = Field(
        default="auto", description="auto: bf16 or fp16 where the device computes faster in it."
    )
    device: str = Field(default="auto", description="auto, cpu, cuda or cuda:N.")
    size_wh: SizeWH | None = Field(
        default=None,
        description="Width and height in pixels of the engine's input; by default about as many "
        "pixels as the network was trained on, with the source's proportions.",
    )
    target_fps: Annotated[float, Field(gt=0, le=1000)] | None = Field(
        default=None,
        description="A rate to keep, frames per second: where the machine gets too slow for it, "
        "the network goes to a smaller size, and back when there is room again; frames of a live "
        "source are left out last. null: one size, as fast as it goes.",
    )
    sizes_wh: tuple[SizeWH, ...] = Field(
        default=(),
        max_length=8,
        description="The sizes that target_fps chooses among, width and height each. Empty: the "
        "built engines up to the usual size, and 1, 0.8, 0.64 and 0.5 times its sides where none "
        "is near.",
    )
    priority: Priority = Field(
        default="auto",
        description="latency: one frame at a time, on all cores; throughput: one frame for each "
        "core, or two on a GPU; auto: latency for live sources, throughput for files.",
    )
    build: Literal["background", "wait", "never"] = Field(
        default="background",
        description="What happens where backend is auto and no engine was built. background: the "
        "stream begins on eager, and a process of the lowest priority builds the engine, which "
        "takes over when it is done; wait: it is built first; never: eager it is.",
    )
    device_path: bool = Field(
        default=False,
        description="On CUDA: frames go up once, and only class map and finished picture come "
        "back. Has not run on a GPU yet; its arithmetic is tested on the CPU.",
    )
    engines: Path | None = Field(
        default=None, description="The folder of built engines; by default engines/ or the cache."
    )

    @model_validator(mode="after")
    def _sizes_are_for_a_rate(self) -> EngineConfig:
        if self.sizes_wh and self.target_fps is None:
            raise ValueError("sizes_wh are what target_fps chooses among: set target_fps as well")
        if self.target_fps is not None and self.device_path:
            raise ValueError(
                "device_path runs one size in one graph, so it can't keep target_fps: set one of "
                "the two"
            )
        return self


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """One engine, as a stream needs it.

    Args:
        model: name of weights, a weights file, a training's folder, or an engine's folder.
        config: backend, precision, device, size.
        frame_hw: height and width of the source's first frame, for the default size.
        output: labels, or scores where they are smoothed over time or refined by a dense CRF.
        parallelism: how many threads will call it, and on how many cores each.
    """

    model: str
    config: EngineConfig
    frame_hw: tuple[int, int]
    output: OutputKind
    parallelism: Parallelism


EngineOpener = Callable[[EngineRequest], Engine]
"""Opens the engine of a request; raises EngineError, WeightsError or ConfigError."""
