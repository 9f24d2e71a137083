"""What the process of a job does: run the stream or the loop once, with a watch on it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cv2

from rtseg.backends.base import Engine, EngineInfo, Parallelism
from rtseg.bench.job import Case, Job, Run, Times
from rtseg.bench.meter import Meter, peak_mib
from rtseg.bench.naive import naive_loop
from rtseg.cores import usable_cores
from rtseg.errors import DataError
from rtseg.stream.engine_request import EngineOpener, EngineRequest
from rtseg.stream.latency import Percentiles
from rtseg.stream.run import Stream, parallelism
from rtseg.stream.settings import StreamConfig


class TimedOpener:
    """Opens engines, and remembers what that took: all of them, and the first alone.

    Args:
        open_engine: what really opens them.
    """

    def __init__(self, open_engine: EngineOpener) -> None:
        self._open_engine = open_engine
        self.first_s = 0.0
        self.wall_s = 0.0
        self.cpu_s = 0.0

    def __call__(self, request: EngineRequest) -> Engine:
        """Open the engine of a request."""
        meter = Meter()
        engine = self._open_engine(request)
        wall_s, cpu_s = meter.read()
        self.first_s = self.first_s or wall_s
        self.wall_s += wall_s
        self.cpu_s += cpu_s
        return engine


def measure_stream(job: Job, open_engine: EngineOpener, started_ns: int) -> Run:
    """Run the stream as `rtseg stream SOURCE -o FILE.mp4` does.

    Args:
        job: what to run.
        open_engine: opens its engine.
        started_ns: when the process began, monotonic clock.

    Raises:
        RtsegError: the source, the engine or the recording can't be had, or failed on the way.
    """
    ready_ns = time.monotonic_ns()
    opener = TimedOpener(open_engine)
    recording = job.folder / "stream.mp4"
    meter = Meter()
    with Stream(stream_config(job, recording), opener) as stream:
        summary = stream.run()
        figures = _figures(meter, opener, stream.engine.info, recording)
        first_ns = stream.latency.first_shown_ns or started_ns
        live = stream.info.source.live
    return Run(
        **figures,
        frames=summary.pictures,
        import_s=(ready_ns - started_ns) / 1e9,
        first_picture_s=(first_ns - started_ns) / 1e9,
        age=_times(summary.age),
        stages={_stage(name): times.mean for name, times in summary.stages.items()},
        workers=parallelism(case_of(job).engine, live).workers,
    )


def measure_naive(job: Job, open_engine: EngineOpener, started_ns: int) -> Run:
    """Run the loop beside the stream, on the same engine; arguments as `measure_stream`.

    Raises:
        RtsegError: as there; or the video holds no frame that OpenCV can read.
    """
    ready_ns = time.monotonic_ns()
    opener = TimedOpener(open_engine)
    recording = job.folder / "naive.mp4"
    meter = Meter()
    with opener(naive_request(job)) as engine:
        shown_ns = [
            time.monotonic_ns() for _ in naive_loop(engine, job.source, recording, job.frames)
        ]
        figures = _figures(meter, opener, engine.info, recording)
    if not shown_ns:
        raise DataError(f"OpenCV reads no frame of {job.source}")
    return Run(
        **figures,
        frames=len(shown_ns),
        import_s=(ready_ns - started_ns) / 1e9,
        first_picture_s=(shown_ns[0] - started_ns) / 1e9,
    )


def _figures(
    meter: Meter, opener: TimedOpener, info: EngineInfo, recording: Path
) -> dict[str, Any]:
    """Return what both kinds of run are measured by; opening the engine is counted apart."""
    wall_s, cpu_s = meter.read()
    return {
        "engine": str(info),
        "reason": info.reason,
        "device": info.device,
        "cores": usable_cores(),
        "wall_s": wall_s - opener.wall_s,
        "cpu_s": cpu_s - opener.cpu_s,
        "open_s": opener.wall_s,
        "peak_mib": peak_mib(),
        "device_peak_mib": device_peak_mib(info.device),
        "recording_bytes": recording.stat().st_size if recording.exists() else 0,
    }


def stream_config(job: Job, recording: Path) -> StreamConfig:
    """Return the stream of a job: the defaults that users get, recorded."""
    case = case_of(job)
    values = {
        "source": {"uri": str(job.source), "max_frames": job.frames},
        "model": case.model,
        "engine": case.engine.model_dump(),
        "fit": job.fit,
        "outputs": (str(recording),),
        "overwrite": True,
    }
    return StreamConfig.model_validate(values)


def naive_request(job: Job) -> EngineRequest:
    """Return the engine that the loop asks for: the stream's, with all cores for its one caller."""
    case = case_of(job)
    everything = Parallelism(1, usable_cores())
    return EngineRequest(case.model, case.engine, frame_hw(job.source), "labels", everything)


def frame_hw(video: Path) -> tuple[int, int]:
    """Return the height and width of a video's frames.

    Raises:
        DataError: OpenCV can't open it.
    """
    capture = cv2.VideoCapture(str(video))
    try:
        if not capture.isOpened():
            raise DataError(f"OpenCV can't open {video}: a benchmark needs a video file")
        height = capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        return int(height), int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
    finally:
        capture.release()


def device_peak_mib(device: str) -> float:
    """Return the most GPU memory that torch ever held; 0 on a CPU."""
    if not device.startswith("cuda"):
        return 0.0
    import torch

    return torch.cuda.max_memory_reserved() / (1 << 20)


def case_of(job: Job) -> Case:
    """Return the engine of a job; a job that needs one and has none is a programming error."""
    if job.case is None:
        raise ValueError(f"a job of the kind {job.kind!r} needs a case")
    return job.case


def _stage(name: str) -> str:
    """Return a stage's name without what it works on, such as ``sink:FILE``."""
    return name.partition(":")[0]


def _times(times: Percentiles) -> Times:
    return Times(p50=times.p50, p90=times.p90, p99=times.p99, max=times.max)
