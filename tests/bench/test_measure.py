"""The stream and the loop beside it: the same frames, the same labels, figures that agree."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from rtseg.backends.base import Engine
from rtseg.bench.bound import bound_fps, share_of_bound
from rtseg.bench.job import Job, JobKind, Run
from rtseg.bench.measure import (
    frame_hw,
    measure_naive,
    measure_stream,
    naive_request,
    stream_config,
)
from rtseg.bench.naive import naive_loop
from rtseg.bench.worker import process_start_ns
from rtseg.errors import DataError, SinkError, SourceError
from rtseg.frames import Labels
from rtseg.stream.engine_request import EngineRequest
from rtseg.stream.run import Stream

Opener = Callable[[EngineRequest], Engine]
MakeJob = Callable[[JobKind], Job]
FRAMES = 10


def played(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def check(run: Run, recording: Path) -> None:
    assert run.frames == FRAMES
    assert played(recording) == FRAMES
    assert run.recording_bytes == recording.stat().st_size
    assert run.fps == pytest.approx(FRAMES / run.wall_s)
    assert run.cpu_ms == pytest.approx(1000 * run.cpu_s / FRAMES)
    assert run.cpu_s > 0
    assert run.wall_s > 0
    assert run.peak_mib > 50
    assert "160x96" in run.engine
    assert "eager fp32" in run.engine
    assert run.first_picture_s > run.import_s + run.open_s
    assert bound_fps(run) == pytest.approx(run.cores * FRAMES / run.cpu_s)


def test_both_record_every_frame(make_job: MakeJob, open_engine: Opener, tmp_path: Path) -> None:
    began_ns = time.monotonic_ns()
    stream = measure_stream(make_job("stream"), open_engine, began_ns)
    check(stream, tmp_path / "stream.mp4")
    assert stream.age is not None
    assert 0 < stream.age.p50 <= stream.age.p90 <= stream.age.p99 <= stream.age.max
    assert {"capture", "preprocess", "engine", "postprocess", "overlay"} <= set(stream.stages)
    assert not any("/" in name for name in stream.stages)
    naive = measure_naive(make_job("naive"), open_engine, time.monotonic_ns())
    check(naive, tmp_path / "naive.mp4")
    assert naive.age is None
    assert naive.engine == stream.engine


def test_both_give_the_same_labels(make_job: MakeJob, open_engine: Opener, tmp_path: Path) -> None:
    job = make_job("stream").model_copy(update={"fit": "stretch"})
    config = stream_config(job, tmp_path / "stream.mp4")
    nearest = config.postprocess.model_copy(update={"edges": "nearest"})
    with Stream(config.model_copy(update={"postprocess": nearest}), open_engine) as stream:
        mine: list[Labels] = [picture.class_map.labels for picture in stream.pictures()]
    with open_engine(naive_request(job)) as engine:
        other = list(naive_loop(engine, job.source, tmp_path / "naive.mp4", FRAMES))
    assert len(mine) == len(other) == FRAMES
    # Two decoders round colours differently, which moves a few borders.
    assert np.mean([np.mean(a == b) for a, b in zip(mine, other, strict=True)]) > 0.99


def test_fewer_frames_can_be_asked_for(make_job: MakeJob, open_engine: Opener) -> None:
    few = make_job("stream").model_copy(update={"frames": 3})
    assert measure_stream(few, open_engine, time.monotonic_ns()).frames == 3
    assert measure_naive(few, open_engine, time.monotonic_ns()).frames == 3


def test_what_is_no_video_is_refused(
    make_job: MakeJob, open_engine: Opener, clip: Path, tmp_path: Path
) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    job = make_job("naive").model_copy(update={"source": text})
    with pytest.raises(DataError, match="can't open"):
        measure_naive(job, open_engine, time.monotonic_ns())
    assert frame_hw(clip) == (96, 160)
    with open_engine(naive_request(make_job("naive"))) as engine:
        with pytest.raises(SourceError, match="can't open"):
            next(naive_loop(engine, text, tmp_path / "out.mp4", 1))
        with pytest.raises(SinkError, match="can't write"):
            next(naive_loop(engine, clip, tmp_path / "absent" / "out.mp4", 1))


def a_run(device: str, workers: int = 1) -> Run:
    return Run(
        engine="e", reason="", device=device, cores=4, frames=100, wall_s=2.0, cpu_s=5.0,
        import_s=1, open_s=1, first_picture_s=3, peak_mib=100, workers=workers,
        stages={"capture": 4.0, "engine": 16.0, "overlay": 10.0, "wait": 500.0},
    )  # fmt: skip


def test_the_bound_is_the_cores_or_the_slowest_stage() -> None:
    assert bound_fps(a_run("cpu")) == pytest.approx(80)
    assert share_of_bound(a_run("cpu")) == pytest.approx(50 / 80)
    assert bound_fps(a_run("cuda:0 (NVIDIA L4)")) == pytest.approx(1000 / 16)
    assert bound_fps(a_run("cuda:0 (NVIDIA L4)", workers=2)) == pytest.approx(1000 / 10)


def test_a_process_knows_when_it_began() -> None:
    began_s = (time.monotonic_ns() - process_start_ns()) / 1e9
    assert 0 < began_s < 24 * 3600
