"""From a request to the folder of a TensorRT engine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from rtseg.backends import EngineFolder, load_engine
from rtseg.backends.backend import BACKENDS
from rtseg.backends.manifest import Machine
from rtseg.backends.tensorrt import PLAN
from rtseg.errors import BackendUnavailableError, ConfigError, EngineError, MissingExtraError
from rtseg.export import tensorrt_toolchain
from rtseg.export.build import build_engine, engine_spec
from rtseg.export.builder import BUILDERS, BuildRequest
from rtseg.export.calibrate import CalibrationPictures
from rtseg.export.tensorrt_builder import TIMING_CACHE, _seed_timing_cache
from rtseg.export.tensorrt_toolchain import Toolchain, require_toolchain
from rtseg.networks.trained import TrainedNetwork

HW = (64, 96)


@pytest.fixture(scope="module")
def wanted(nearest_colour: TrainedNetwork) -> BuildRequest:
    return BuildRequest(
        nearest_colour, "0" * 64, HW, "tensorrt", "fp16", arguments={"hardware_compatible": True}
    )


@pytest.fixture(scope="module")
def built(
    toolchain: Toolchain, wanted: BuildRequest, tmp_path_factory: pytest.TempPathFactory
) -> EngineFolder:
    return build_engine(wanted, tmp_path_factory.mktemp("engines"))


def test_the_folder_holds_the_plan_and_says_what_it_is(
    toolchain: Toolchain, built: EngineFolder, wanted: BuildRequest
) -> None:
    manifest = built.manifest
    assert [file.name for file in manifest.files] == [PLAN]
    assert built.file(PLAN).read_bytes()[1:4] == b"trt"
    assert manifest.spec == engine_spec(wanted)
    assert manifest.spec.versions == {"tensorrt_rtx": toolchain.tensorrt.__version__}
    assert manifest.spec.machine.device == "cuda"
    assert manifest.spec.arguments["hardware_compatible"] is True
    note = manifest.notes["tensorrt"]
    assert note["inputs"] == ["images_bgr UINT8 [1, 64, 96, 3]"]
    assert note["outputs"] == ["output0 INT8 [1, 64, 96]"]
    assert note["torch_operations"] == []
    assert "HALF" in note["convolutions"]
    assert "one plan of" in (built.path / "build.log").read_text()
    assert len((built.path / "tensorrt.log").read_text().splitlines()) > 10


def test_the_engine_is_refused_before_it_is_opened(built: EngineFolder) -> None:
    with pytest.raises(BackendUnavailableError, match="NVIDIA GPUs, and the device is cpu"):
        load_engine(built, "cpu")


def test_fp32_is_exact_and_an_unknown_argument_is_named(
    toolchain: Toolchain, nearest_colour: TrainedNetwork
) -> None:
    exact = BuildRequest(nearest_colour, "0" * 64, HW, "tensorrt", "fp32")
    assert engine_spec(exact).arguments["disable_tf32"] is True
    odd = BuildRequest(
        nearest_colour, "0" * 64, HW, "tensorrt", "fp16", arguments={"optimisation_level": 4}
    )
    with pytest.raises(EngineError, match="Did you mean 'optimization_level'"):
        engine_spec(odd)


def test_int8_is_not_for_tensorrt_rtx(
    toolchain: Toolchain, nearest_colour: TrainedNetwork, tmp_path: Path
) -> None:
    pictures = CalibrationPictures((np.zeros((*HW, 3), np.uint8),), "one")
    wanted = BuildRequest(nearest_colour, "0" * 64, HW, "tensorrt", "int8", calibration=pictures)
    with pytest.raises(BackendUnavailableError, match="no int8 convolutions; take fp16"):
        build_engine(wanted, tmp_path)
    with pytest.raises(ConfigError, match="int8 needs pictures"):
        build_engine(BuildRequest(nearest_colour, "0" * 64, HW, "tensorrt", "int8"), tmp_path)


def test_without_the_package_the_message_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, wanted: BuildRequest
) -> None:
    monkeypatch.setattr(tensorrt_toolchain, "DISTRIBUTIONS", {})
    with pytest.raises(MissingExtraError, match=r"pip install 'rtseg\[tensorrt\]'"):
        BUILDERS["tensorrt"].require(wanted)


def test_standard_tensorrt_needs_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorrt_toolchain, "DISTRIBUTIONS", {"torch": "tensorrt"})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BackendUnavailableError, match=r"'rtseg\[tensorrt-rtx\]'"):
        require_toolchain()


def test_the_newest_timing_cache_of_this_gpu_is_taken_over(
    built: EngineFolder, tmp_path: Path
) -> None:
    root = tmp_path / "engines"
    shutil.copytree(built.path, root / "older")
    (root / "older" / TIMING_CACHE).write_bytes(b"times")
    shutil.copytree(built.path, root / "other-gpu")
    (root / "other-gpu" / TIMING_CACHE).write_bytes(b"other times")
    path = root / "other-gpu" / "manifest.json"
    values = json.loads(path.read_text())
    values["spec"]["machine"]["compute_capability"] = "8.7"
    path.write_text(json.dumps(values))
    staged = root / ".new.building"
    staged.mkdir()
    spec = built.manifest.spec
    _seed_timing_cache(staged, spec.versions, spec.machine)
    assert (staged / TIMING_CACHE).read_bytes() == b"times"
    orin = Machine(system="linux", arch="aarch64", device="cuda", device_name="Orin")
    (staged / TIMING_CACHE).unlink()
    _seed_timing_cache(staged, spec.versions, orin)
    assert not (staged / TIMING_CACHE).exists()


def test_the_backend_and_its_builder_agree() -> None:
    backend, builder = BACKENDS["tensorrt"], BUILDERS["tensorrt"]
    assert backend.precisions == builder.precisions
    assert backend.float_precisions(torch.device("cuda"))[0] == "fp16"
