"""What an export asks for, and what is made of what it leaves open."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rtseg.config import validate
from rtseg.errors import BackendUnavailableError, ConfigError, UnknownNameError
from rtseg.export.builder import BUILDERS, BuildRequest
from rtseg.export.settings import ExportConfig, require_proof, resolve
from rtseg.networks.trained import TrainedNetwork


@pytest.fixture
def open_request(nearest_colour: TrainedNetwork) -> BuildRequest:
    return BuildRequest(nearest_colour, "0" * 64, (96, 128), "auto", "fp32")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"precison": "fp16"}, "Did you mean 'precision'"),
        ({"precision": "fp8"}, "precision is 'fp8'"),
        ({"size_wh": [512]}, "size_wh"),
        ({"size_wh": [4, 288]}, "size_wh"),
        ({"batch": 0}, "batch is 0"),
        ({"output": "logits"}, "output is 'logits'"),
        ({"fit": "squash"}, "fit is 'squash'"),
    ],
)
def test_wrong_settings_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validate(ExportConfig, values, "here")


def test_sizes_are_width_times_height(nearest_colour: TrainedNetwork) -> None:
    assert ExportConfig(size_wh=(512, 288)).input_hw(nearest_colour) == (288, 512)
    assert ExportConfig().input_hw(nearest_colour) == nearest_colour.card.input_hw


def test_what_was_asked_for_is_taken(open_request: BuildRequest) -> None:
    request = resolve(ExportConfig(backend="eager", precision="fp16"), open_request).request
    assert (request.backend, request.precision) == ("eager", "fp16")


def test_auto_takes_the_first_that_can_be_built(
    open_request: BuildRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(request: BuildRequest) -> None:
        raise BackendUnavailableError("there is no compiler")

    for name in ("openvino", "inductor"):
        monkeypatch.setattr(BUILDERS[name], "require", unavailable, raising=False)
    found = resolve(ExportConfig(), open_request)
    assert found.request.backend == "eager"
    assert set(found.against.values()) == {"there is no compiler"}
    assert "openvino fp32" in found.against


@pytest.mark.parametrize(("computes", "precision"), [(True, "bf16"), (False, "fp32")])
def test_auto_precision_is_the_fastest_that_the_machine_has(
    open_request: BuildRequest, monkeypatch: pytest.MonkeyPatch, computes: bool, precision: str
) -> None:
    monkeypatch.setattr("rtseg.backends.backend.computes_in_bf16", lambda device: computes)
    found = resolve(ExportConfig(backend="eager"), open_request).request
    assert found.precision == precision


def test_the_one_reason_is_the_message(open_request: BuildRequest) -> None:
    with pytest.raises(ConfigError, match="'eager' has no precision 'int8'"):
        resolve(ExportConfig(backend="eager", precision="int8"), open_request)
    with pytest.raises(ConfigError, match="int8 needs pictures"):
        resolve(ExportConfig(precision="int8"), open_request)
    with pytest.raises(UnknownNameError, match="Did you mean 'openvino'"):
        resolve(ExportConfig(backend="openvin"), open_request)


def test_what_can_not_run_here_is_built_only_if_that_is_said(open_request: BuildRequest) -> None:
    import dataclasses

    plan = dataclasses.replace(open_request, backend="tensorrt", device=torch.device("cpu"))
    with pytest.raises(BackendUnavailableError, match="--unproven builds it all the same"):
        require_proof(plan, unproven=False)
    assert not require_proof(plan, unproven=True)
    assert require_proof(dataclasses.replace(open_request, backend="eager"), unproven=False)


def test_paths_are_found_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").touch()
    config = ExportConfig(calibrate=Path("film.mp4"), compare="demo:3")
    moved = config.beside(tmp_path)
    assert moved.calibrate == tmp_path / "film.mp4"
    assert moved.compare == "demo:3"
