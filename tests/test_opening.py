from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from rtseg.backends.base import Parallelism
from rtseg.errors import EngineError, WeightsError
from rtseg.networks.trained import weights_file
from rtseg.opening import engine_hw, open_engine
from rtseg.stream.engine_request import EngineConfig, EngineRequest
from rtseg.stream.run import Stream
from rtseg.stream.settings import StreamConfig

MODEL = "ddrnet-23-slim-camvid"


def request(**settings: object) -> EngineRequest:
    config = EngineConfig.model_validate(settings)
    return EngineRequest(MODEL, config, (360, 640), "labels", Parallelism(1, 1))


def test_the_input_has_the_sources_proportions_or_the_size_that_was_asked_for() -> None:
    weights = weights_file(MODEL)
    assert engine_hw(request(), weights) == (288, 512)
    assert engine_hw(request(size_wh=(96, 64)), weights) == (64, 96)


def test_without_an_engine_eager_runs_and_says_why(tmp_path: Path) -> None:
    with open_engine(request(engines=tmp_path, size_wh=(96, 64), build="never")) as engine:
        assert engine.info.backend == "eager"
        assert engine.info.reason.startswith("eager: ")
        assert engine.infer(np.zeros((1, 64, 96, 3), np.uint8)).shape == (1, 64, 96)


def test_a_backend_without_an_engine_names_the_command_that_builds_it(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="rtseg export"):
        open_engine(request(engines=tmp_path, backend="openvino"))


def test_an_unknown_model_names_the_closest() -> None:
    wrong = EngineRequest("ddrnet-23-slim", EngineConfig(), (360, 640), "labels", Parallelism())
    with pytest.raises(WeightsError, match=MODEL):
        open_engine(wrong)


@pytest.mark.timeout(500)
def test_the_built_engine_takes_over_in_a_running_stream(tmp_path: Path) -> None:
    """No frame is lost, and the pictures before, across and after the swap are the same."""
    pytest.importorskip("openvino")
    engines = tmp_path / "engines"
    source = {"uri": "demo:3", "size_wh": (128, 96), "loop": True}
    config = StreamConfig.model_validate(
        {
            "source": source,
            "engine": {"size_wh": (96, 64), "engines": engines, "precision": "fp32"},
            "overlay": {"hud": False},
        }
    )
    deadline = time.monotonic() + 420
    backends, indices, labels = [], [], []
    notices = set()
    with Stream(config, open_engine) as stream:
        for picture in stream.pictures():
            backends.append(stream.engine.info.backend)
            indices.append(picture.frame.index)
            labels.append(picture.class_map.labels)
            notices.add((stream.engine.notice() or "").partition(" engine")[0])
            time.sleep(0.3 if backends[-1] == "eager" else 0.05)  # the build needs the cores
            if backends.count("openvino") == 10 or time.monotonic() > deadline:
                break
    assert backends[0] == "eager"
    assert backends.count("openvino") == 10
    assert indices == list(range(len(indices)))
    assert notices == {"building", ""}
    first = backends.index("openvino") - 10
    reference = StreamConfig.model_validate(
        {
            "source": {**source, "start_s": max(first, 0) / 30},
            "engine": {"size_wh": (96, 64), "backend": "eager", "precision": "fp32"},
        }
    )
    around = labels[max(first, 0) :]
    with Stream(reference, open_engine) as eager:
        pairs = zip(around, eager.pictures(), strict=False)
        agreement = [float((mine == its.class_map.labels).mean()) for mine, its in pairs]
    assert len(agreement) == len(around) > 10
    assert min(agreement) > 0.999
