"""Which sizes a ladder has: what was built, what is usual, what was asked for."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from rtseg.backends.base import Parallelism
from rtseg.errors import EngineError
from rtseg.fit import has_same_aspect, scaled_hw
from rtseg.ladder import MOST_RUNGS, GrowingLadder, default_sizes, open_ladder
from rtseg.opening import open_engine
from rtseg.stream.engine_request import EngineConfig, EngineRequest
from rtseg.stream.pace.engine_ladder import EngineLadder

MODEL = "ddrnet-23-slim-camvid"
TOP = (288, 512)


def request(model: str = MODEL, **settings: object) -> EngineRequest:
    config = EngineConfig.model_validate({"target_fps": 30, "device": "cpu", **settings})
    return EngineRequest(model, config, (360, 640), "labels", Parallelism(1, 1))


@pytest.mark.parametrize("hw", [(288, 512), (360, 480), (96, 64), (1024, 2048), (344, 776)])
@pytest.mark.parametrize("factor", [1.0, 0.8, 0.64, 0.5])
def test_a_scaled_size_keeps_the_proportions(hw: tuple[int, int], factor: float) -> None:
    height, width = scaled_hw(hw, factor)
    assert height % 8 == width % 8 == 0
    assert height * width == pytest.approx(hw[0] * hw[1] * factor**2, rel=0.15)
    assert has_same_aspect((height, width), hw) or min(height, width) < 200


def test_without_engines_the_usual_sizes_are_taken() -> None:
    assert default_sizes(TOP, [], also_unbuilt=True) == [TOP, (232, 408), (184, 328), (144, 256)]
    assert default_sizes(TOP, [], also_unbuilt=False) == [TOP]


def test_built_sizes_stand_for_usual_ones_that_are_near() -> None:
    built = [(224, 400), (192, 344), (160, 224), (576, 1024)]
    sizes = default_sizes(TOP, built, also_unbuilt=True)
    assert sizes == [TOP, (224, 400), (192, 344), (144, 256)]
    assert default_sizes(TOP, built, also_unbuilt=False) == [TOP, (224, 400), (192, 344)]


def test_a_ladder_has_no_more_rungs_than_memory_should_hold() -> None:
    built = [(9 * n, 16 * n) for n in range(10, 32)]
    assert len(default_sizes(TOP, built, also_unbuilt=True)) == MOST_RUNGS


def test_a_backend_without_engines_names_the_command_that_builds_them(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="rtseg export"):
        open_engine(request(backend="openvino", engines=tmp_path))


@pytest.mark.slow
def test_built_engines_make_the_ladder_and_the_folder_of_one_finds_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from rtseg.cli import main

    for size in ("64x48", "48x36"):
        built = ["export", MODEL, "--backend", "eager", "--precision", "fp32", "--device", "cpu"]
        assert main([*built, "--size", size, "--engines", str(tmp_path), "--unproven"]) == 0
    folder = next(path for path in tmp_path.iterdir() if "64x48" in path.name)
    with open_ladder(request(str(folder), engines=tmp_path)) as ladder:
        assert isinstance(ladder, EngineLadder)
        assert ladder.sizes_hw[0] == (48, 64)
        assert ladder.infer(np.zeros((1, 48, 64, 3), np.uint8)).shape == (1, 48, 64)


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_missing_engines_are_built_one_after_the_other_while_eager_runs(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    asked = request(engines=tmp_path, sizes_wh=((96, 64), (72, 48)), precision="fp32")
    with open_ladder(asked) as ladder:
        assert [engine.info.backend for engine in ladder.rungs] == ["eager", "eager"]
        assert (ladder.notice() or "").startswith("building engine")
        measured: dict[int, float] = {}
        ladder.on_measured = measured.__setitem__
        deadline_s = time.monotonic() + 400
        while len(measured) < 2 and time.monotonic() < deadline_s:
            for rung, (height, width) in enumerate(ladder.sizes_hw):
                ladder.rung = rung
                assert ladder.infer(np.zeros((1, height, width, 3), np.uint8)).shape[0] == 1
            time.sleep(0.5)
        assert [engine.info.backend for engine in ladder.rungs] == ["openvino", "openvino"]
        assert min(measured.values()) > 0


def test_closing_ends_a_build_that_runs(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with open_ladder(request(engines=tmp_path, sizes_wh=((96, 64), (72, 48)))) as ladder:
        if isinstance(ladder, GrowingLadder):
            assert ladder._build is not None or ladder._thread.is_alive()
    assert set(threading.enumerate()) <= before
    assert not [path for path in tmp_path.iterdir() if (path / "manifest.json").exists()]
