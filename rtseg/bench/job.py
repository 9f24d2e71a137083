"""What one process of a benchmark is asked to do, and what it answers; both travel as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from rtseg.config import Config
from rtseg.fit import FitMode
from rtseg.stream.engine_request import EngineConfig

JobKind = Literal["stream", "naive", "parts", "machine", "clip"]


class Case(Config):
    """One engine to measure.

    Args:
        model: shipped weights or a file, as in a stream's configuration.
        engine: backend, precision, device and size.
    """

    model: str
    engine: EngineConfig = Field(default_factory=EngineConfig)

    @property
    def title(self) -> str:
        """What it is called in tables; unset keys are left to the engine."""
        size = "{}x{}".format(*self.engine.size_wh) if self.engine.size_wh else ""
        given = (self.model, size, self.engine.backend, self.engine.precision)
        return " ".join(word for word in given if word and word != "auto")


class Job(Config):
    """One process.

    Args:
        kind: stream: the whole pipeline; naive: the loop beside it; parts: each stage alone;
            machine: what the machine is and how fast it computes and copies; clip: write a video
            of the demo drive to `source`.
        case: the engine; None for the machine and the clip.
        source: the video file.
        frames: how many of its frames, at most.
        folder: where recordings may be written; whoever made the job removes it.
        fit: how frames become the engine's input.
    """

    kind: JobKind
    case: Case | None = None
    source: Path = Path()
    frames: int = Field(default=1, ge=1)
    folder: Path = Path()
    fit: Literal["auto"] | FitMode = "auto"


class Times(Config):
    """Milliseconds, of all values, none clipped."""

    p50: float
    p90: float
    p99: float
    max: float


class Run(Config):
    """A video from its file to a labelled file.

    Args:
        engine: the engine in one line.
        reason: why this engine was chosen.
        device: what it ran on.
        cores: how many cores the process may use.
        frames: pictures in the recording.
        wall_s: from the first call to the finished file, the engine being open.
        cpu_s: what all threads computed in that time, user and system.
        import_s: from the start of the process until the engine could be asked for.
        open_s: opening the engine, with building it where that was needed.
        first_picture_s: from the start of the process to the first finished picture.
        peak_mib: the most memory that the process ever had, MiB.
        device_peak_mib: the same on the GPU.
        recording_bytes: size of the recording.
        age: from a frame's capture to its finished picture; None for the naive loop, where every
            frame is as old as the loop's body takes.
        stages: mean milliseconds a frame in each stage, as the stream itself reports them.
        workers: how many frames are in the engine's stage at a time.
    """

    engine: str
    reason: str
    device: str
    cores: int
    frames: int
    wall_s: float
    cpu_s: float
    import_s: float
    open_s: float
    first_picture_s: float
    peak_mib: float
    device_peak_mib: float = 0.0
    recording_bytes: int = 0
    age: Times | None = None
    stages: dict[str, float] = Field(default_factory=dict)
    workers: int = 1

    @property
    def fps(self) -> float:
        """Frames a second, opening and finishing the recording included."""
        return self.frames / self.wall_s

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds a frame, of all threads together."""
        return 1000 * self.cpu_s / self.frames


class Part(Config):
    """One stage alone, frame after frame in a plain loop.

    Args:
        name: the stage, and how it was set up.
        frames: how often it ran.
        wall_ms: milliseconds a frame, median.
        least_ms: the fastest frame.
        cpu_ms: CPU milliseconds a frame, mean, of all threads together.
        on_the_way: it is a part of the default stream; the others are for comparison.
    """

    name: str
    frames: int
    wall_ms: float
    least_ms: float
    cpu_ms: float
    on_the_way: bool = True


class Parts(Config):
    """All stages of one case, each alone.

    Args:
        engine: the engine in one line.
        precision: what it computes in.
        input_wh: width and height of its input.
        source_wh: width and height of the video.
        open_s: opening the engine for the first time, with building it where that was needed.
        parts: the stages in the order of the way.
    """

    engine: str
    precision: str
    input_wh: tuple[int, int]
    source_wh: tuple[int, int]
    open_s: float
    parts: tuple[Part, ...]


class Clip(Config):
    """A video that was written."""

    frames: int
    size_wh: tuple[int, int]


class Machine(Config):
    """What the machine is, and what it reaches when nothing stands in its way.

    Args:
        processor: its name.
        cores: how many cores this process may use.
        gpu: the CUDA device, empty without one.
        memory_gib: main memory.
        versions: of python and the packages that matter.
        gflops: multiply-adds x 2 a second of large matrix products, 10⁹, by precision.
        copy_gb_s: bytes read and written a second by copying large arrays, 10⁹.
        rates_of: what the rates were measured on.
    """

    processor: str
    cores: int
    gpu: str
    memory_gib: float
    versions: dict[str, str]
    gflops: dict[str, float]
    copy_gb_s: float
    rates_of: str
