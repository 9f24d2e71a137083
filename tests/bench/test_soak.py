"""A watched run: what is sampled, what is compared, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from rtseg.backends.base import Engine
from rtseg.bench.soak import Sample, SoakReport, soak
from rtseg.config import validate
from rtseg.errors import ConfigError
from rtseg.export.eager import eager_engine
from rtseg.networks.trained import TrainedNetwork
from rtseg.stream.engine_request import EngineRequest
from rtseg.stream.settings import StreamConfig


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pictures")
    for index in range(5):
        cv2.imwrite(str(made / f"{index}.png"), np.full((48, 64, 3), 40 * index, np.uint8))
    return made


def test_two_sources_run_until_the_time_is_over(
    folder: Path, nearest_colour: TrainedNetwork
) -> None:
    def open_engine(request: EngineRequest) -> Engine:
        threads = request.parallelism
        return eager_engine(nearest_colour, (32, 48), "fp32", "labels", "cpu", threads)

    config = validate(
        StreamConfig,
        {"cameras": [str(folder)] * 2, "source": {"loop": True}, "outputs": ["null"]},
        "test",
    )
    seen: list[Sample] = []
    report = soak(config, open_engine, 2.6, warm_up_s=0.4, every_s=0.1, on_sample=seen.append)
    assert list(report.samples) == seen
    assert len(seen) == 26
    assert not report.failures
    assert report.fps > 0
    assert report.growths["threads"].first > 8
    assert report.growths["own_mb"].first < report.growths["rss_mb"].first
    assert abs(report.growths["handles"].share) < 0.5
    assert json.loads(json.dumps(report.to_dict()))["growth"]["own_mb"]["first"] > 10


def test_the_first_and_the_last_tenth_after_the_warm_up_are_compared() -> None:
    samples = tuple(
        Sample(
            at_s=10.0 * number,
            rss_mb=200.0,
            own_mb=500.0 if number < 10 else 100.0 + number / 10,
            threads=8,
            handles=20 if number < 105 else 30,
            pictures=50 * number,
        )
        for number in range(1, 111)
    )
    report = SoakReport(samples, warm_up_s=100.0, failures={})
    growths = report.growths
    assert growths["own_mb"].first == pytest.approx(101.45)
    assert growths["own_mb"].last == pytest.approx(110.55)
    assert growths["own_mb"].share == pytest.approx(110.55 / 101.45 - 1)
    assert growths["rss_mb"].share == 0
    assert growths["handles"].share == pytest.approx(0.5)
    assert report.fps == pytest.approx(5.0)


def test_a_run_too_short_to_say_anything_is_refused() -> None:
    with pytest.raises(ConfigError, match="fewer than 20 samples"):
        soak(StreamConfig(), lambda request: pytest.fail("opened"), 60, warm_up_s=5)
