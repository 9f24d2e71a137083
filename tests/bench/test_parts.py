"""Each stage alone: all of them, on every frame, with times that add up."""

from __future__ import annotations

import os
from collections.abc import Callable

import cv2

from rtseg.backends.base import Engine
from rtseg.bench.job import Job, JobKind, Parts
from rtseg.bench.meter import Meter, PartMeter, peak_mib
from rtseg.bench.parts import measure_parts
from rtseg.stream.engine_request import EngineRequest


def test_every_stage_is_measured(
    make_job: Callable[[JobKind], Job], open_engine: Callable[[EngineRequest], Engine]
) -> None:
    threads = cv2.getNumThreads()
    parts = measure_parts(make_job("parts"), open_engine)
    assert cv2.getNumThreads() == threads
    way = [part.name for part in parts.parts if part.on_the_way]
    assert way == ["decode", "preprocess", "engine, 1 core", "postprocess", "overlay", "encode"]
    beside = {part.name for part in parts.parts if not part.on_the_way}
    assert "overlay and HUD at 1280x720" in beside
    assert "postprocess, temporal smoothing" in beside
    assert "postprocess, edges nearest" in beside
    assert all(part.frames == 10 for part in parts.parts)
    assert all(0 < part.least_ms <= part.wall_ms for part in parts.parts)
    assert all(part.cpu_ms > 0 for part in parts.parts)
    assert parts.source_wh == (160, 96)
    assert parts.input_wh == (160, 96)
    assert parts.precision == "fp32"
    assert parts.open_s > 0
    assert Parts.model_validate_json(parts.model_dump_json()) == parts


def test_meters_count_time_and_work() -> None:
    meter, part = Meter(), PartMeter("work")
    results = [part.run(sum, range(200_000)) for _ in range(3)]
    part.run(lambda: None)
    part.forget_last()
    part.spend(lambda: sum(range(200_000)))
    wall_s, cpu_s = meter.read()
    assert results == [sum(range(200_000))] * 3
    figures = part.part()
    assert figures.frames == 3
    assert 0 < figures.least_ms <= figures.wall_ms <= 1000 * wall_s
    assert 0 < figures.cpu_ms * 3 <= 1000 * cpu_s


def test_the_peak_is_this_processs_own() -> None:
    before = peak_mib()
    block = bytearray(os.urandom(1)) * (64 << 20)
    assert len(block) == 64 << 20
    assert peak_mib() >= before
    assert 20 < before < 1 << 20
