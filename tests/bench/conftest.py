"""A short small video, and the engine that is measured on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import pytest

from rtseg.backends.base import Engine, Parallelism
from rtseg.bench.job import Case, Job, JobKind
from rtseg.demo_drive import DemoDrive
from rtseg.export.eager import eager_engine
from rtseg.networks.trained import load_trained
from rtseg.stream.engine_request import EngineConfig, EngineRequest

MODEL = "ddrnet-23-slim-camvid"
FRAMES, SIZE_WH = 10, (160, 96)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten frames of the demo drive, 160x96, H.264 without loss."""
    path = tmp_path_factory.mktemp("bench") / "clip.mp4"
    drive = DemoDrive(3, *SIZE_WH, fps=25)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25, options={"crf": "1", "preset": "ultrafast"})
        stream.width, stream.height = SIZE_WH
        stream.pix_fmt = "yuv420p"
        for index in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(drive.render(4 * index)[0], "bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def open_engine() -> Callable[[EngineRequest], Engine]:
    """Open the real network, eagerly; one core a call, as tests share their machine."""

    def opened(request: EngineRequest) -> Engine:
        assert request.config.size_wh is not None
        width, height = request.config.size_wh
        return eager_engine(
            load_trained(request.model),
            (height, width),
            "fp32",
            request.output,
            "cpu",
            Parallelism(request.parallelism.workers, 1),
        )

    return opened


@pytest.fixture
def make_job(clip: Path, tmp_path: Path) -> Callable[[JobKind], Job]:
    """Return a job of a kind on the clip, the engine's size being the frames' own."""
    case = Case(model=MODEL, engine=EngineConfig(size_wh=SIZE_WH, device="cpu"))

    def made(kind: JobKind) -> Job:
        return Job(kind=kind, case=case, source=clip, frames=FRAMES, folder=tmp_path)

    return made
