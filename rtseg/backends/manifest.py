"""What an engine folder says of itself: its origin, its machine, its figures."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Literal

from pydantic import Field, field_validator

from rtseg.backends.base import EngineInfo, OutputKind, Precision
from rtseg.backends.machine import Machine
from rtseg.classes import ClassSet
from rtseg.config import Config
from rtseg.fit import FitMode

FORMAT_VERSION: Literal[1] = 1
"""Version of the manifest; another one is refused."""
GRAPH_VERSION = 1
"""Version of what exporting makes of a network; raised when the same wish gives another file."""
KEY_DIGITS = 8
SAFE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$"
"""What may be part of a folder's or a file's name."""

Argument = str | int | float | bool | None
Triple = tuple[float, float, float]
Side = Field(ge=1, le=16384)


class EngineSpec(Config):
    """All that decides what an engine is: two engines of one spec are the same engine."""

    model: str = Field(pattern=SAFE_NAME, description="Name of the weights.")
    network: str = Field(max_length=128, description="Registered name of the network.")
    weights_sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the weights' file.")
    input_hw: tuple[int, int] = Field(description="Height and width of the input in pixels.")
    batch: int = Field(default=1, ge=1, le=1024, description="Pictures per call.")
    output: OutputKind = "labels"
    fit: FitMode = Field(default="stretch", description="How frames were fitted for parity.")
    precision: Precision
    backend: str = Field(pattern=SAFE_NAME)
    versions: dict[str, str] = Field(description="Packages that the file depends on.")
    machine: Machine
    arguments: dict[str, Argument] = Field(default_factory=dict, description="Of the build.")
    graph_version: int = Field(default=GRAPH_VERSION, ge=1, description="Of the deploy graph.")

    @field_validator("input_hw")
    @classmethod
    def _sides(cls, hw: tuple[int, int]) -> tuple[int, int]:
        if not all(1 <= side <= 16384 for side in hw):
            raise ValueError("both sides must be 1 to 16384 pixels")
        return hw

    def key(self) -> str:
        """Return a hash of everything in the spec."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def folder_name(self) -> str:
        """Return such as ``"linknet-camvid-512x288-openvino-bf16-1a2b3c4d"``."""
        height, width = self.input_hw
        parts = [self.model, f"{width}x{height}", self.backend, self.precision]
        parts += [f"batch{self.batch}"] * (self.batch > 1) + [self.output] * self.makes_scores
        return "-".join([*parts, self.key()[:KEY_DIGITS]])

    @property
    def makes_scores(self) -> bool:
        """Whether class probabilities come out instead of labels."""
        return self.output == "scores"

    def rebuild_command(self) -> str:
        """Return the command that builds this engine on the machine it is typed on."""
        height, width = self.input_hw
        parts = ["rtseg export", self.model, f"--backend {self.backend}"]
        parts += [f"--precision {self.precision}", f"--size {width}x{height}"]
        parts += [f"--batch {self.batch}"] * (self.batch > 1)
        parts += ["--output scores"] * self.makes_scores
        parts += ["--device cuda"] * (self.machine.device == "cuda")
        return " ".join(parts)


class EngineFile(Config):
    """One file that the runtime reads."""

    name: str = Field(pattern=SAFE_NAME)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: int = Field(ge=0)


class Parity(Config):
    """How far the engine agrees with the network it came from, in float32; shares 0 to 1."""

    frames: int = Field(ge=1, description="Pictures that were compared.")
    pictures: str = Field(default="", description="Which pictures.")
    pixel_agreement: float = Field(ge=0, le=1, description="Share of pixels of the same class.")
    threshold: float = Field(ge=0, le=1, description="The agreement that the precision owes.")
    worst_frame: int | None = Field(default=None, description="Index of the least alike picture.")
    worst_frame_agreement: float | None = None
    mean_iou_change: float | None = Field(default=None, description="Engine minus network.")
    iou_change: dict[str, float] = Field(default_factory=dict, description="The same by class.")
    temporal_consistency_change: float | None = None


class Latency(Config):
    """How fast the engine was where it was built, calls alone."""

    p50_ms: float = Field(gt=0)
    p90_ms: float = Field(gt=0)
    p99_ms: float = Field(gt=0)
    fps: float = Field(gt=0, description="Pictures a second of all workers together.")
    workers: int = Field(default=1, ge=1)
    threads: int = Field(default=0, ge=0)


class ClassTable(Config):
    """A `ClassSet` as JSON holds it."""

    name: str
    names: tuple[str, ...]
    colours_rgb: tuple[tuple[int, int, int], ...]


class Manifest(Config):
    """The content of an engine folder's ``manifest.json``."""

    format_version: Literal[1] = FORMAT_VERSION
    spec: EngineSpec
    classes: ClassTable
    mean_rgb: Triple = Field(description="Inside the graph: of the scale where white is 1.")
    std_rgb: Triple
    channel_order: Literal["bgr"] = Field(default="bgr", description="Of the uint8 input.")
    files: tuple[EngineFile, ...] = Field(min_length=1, max_length=64)
    parity: Parity | None = None
    latency: Latency | None = None
    notes: dict[str, Any] = Field(default_factory=dict, description="What else a build says.")
    built_at: str = Field(description="Time of the build, ISO 8601, UTC.")
    build_s: float = Field(default=0.0, ge=0, description="Seconds that the build took.")
    rtseg_version: str = ""

    def class_set(self) -> ClassSet:
        """Return what the labels mean.

        Raises:
            DataError: names and colours make no class set.
        """
        return ClassSet.from_dict(self.classes.model_dump())

    def info(self, device: str, reason: str = "") -> EngineInfo:
        """Return what an engine of this manifest is, once it is open on `device`."""
        spec = self.spec
        return EngineInfo(
            model=spec.model,
            backend=spec.backend,
            precision=spec.precision,
            device=device,
            classes=self.class_set(),
            input_hw=spec.input_hw,
            batch=spec.batch,
            output=spec.output,
            reason=reason,
        )

    def to_json(self) -> str:
        """Return the manifest as readable JSON."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def safe_model_name(name: str) -> str:
    """Return `name` with every character that a folder's name can't hold turned into ``-``."""
    cleaned = re.sub(r"[^A-Za-z0-9._+-]", "-", name).lstrip("._+-")[:100]
    return cleaned or "network"
