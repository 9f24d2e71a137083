"""`rtseg export`, `engines` and `selftest`, from weights to a proven engine and back to nothing."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml

from rtseg.backends import list_engines
from rtseg.classes import CAMVID
from rtseg.cli import main
from rtseg.cli._engine_arguments import wh_argument
from rtseg.export import demo_frames, proof
from rtseg.export.builder import BUILDERS, BuildRequest, Built, Log
from rtseg.export.eager_builder import EagerBuilder
from rtseg.export.latency import measured_latency
from rtseg.networks import build_network
from rtseg.networks.trained import ModelCard, save_trained

NETWORK = "unet-32"
"""Of few layers, which cost an export more than the arithmetic does."""


def shorten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(demo_frames, "FRAMES_EACH", 1)
    patch.setattr(proof, "measured_latency", partial(measured_latency, calls=5))


@pytest.fixture(autouse=True)
def _short_proofs(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network as it was born, in the folder of a training."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("run") / "best.safetensors"
    card = ModelCard("newborn", NETWORK, CAMVID, (64, 96))
    save_trained(path, build_network(NETWORK, len(CAMVID)), card)
    return path


@pytest.fixture(scope="module")
def engines(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("engines")
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch)
        assert export(weights, root, "--size", "128x64") == 0
    return root


def export(weights: Path, root: Path, *arguments: object) -> int:
    usual = ["--backend", "eager", "--precision", "fp32", "--device", "cpu", "--engines", root]
    return main(["export", str(weights), *map(str, [*usual, *arguments])])


def only(root: Path) -> Path:
    (found,) = list_engines(root)
    return found.path


def test_an_engine_is_built_proven_and_not_built_again(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = tmp_path / "pictures"
    film.mkdir()
    image, _ = demo_frames._drawn(300, 0)
    import cv2

    assert cv2.imwrite(str(film / "one.png"), image)
    arguments = ("--compare", film, "--batch", 2, "--fit", "letterbox")
    assert export(weights.parent, tmp_path / "engines", *arguments) == 0
    said = capsys.readouterr()
    assert "100.000 % as in fp32" in said.out
    assert "as in fp32, mean IoU +0.00 points" in said.err
    values = json.loads((only(tmp_path / "engines") / "manifest.json").read_text())
    assert values["spec"]["input_hw"] == [64, 96]
    assert (values["spec"]["batch"], values["spec"]["fit"]) == (2, "letterbox")
    assert values["parity"]["frames"] == 3
    assert values["notes"]["demo_drive"]["engine"]["mean_iou"] is not None

    assert export(weights, tmp_path / "engines", *arguments) == 0
    assert "is there already" in capsys.readouterr().err


class BlindBuilder(EagerBuilder):
    """Builds a network that lost its last layer."""

    def build(self, request: BuildRequest, folder: Path, log: Log) -> Built:
        network = request.trained.network
        last = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)][-1]
        before = last.weight.data.clone()
        last.weight.data.neg_()
        try:
            return super().build(request, folder, log)
        finally:
            last.weight.data.copy_(before)


def test_disagreement_is_status_1_and_leaves_the_report(
    weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(BUILDERS._items, "eager", BlindBuilder())
    assert export(weights, tmp_path) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("rtseg: newborn-96x64-eager-fp32-")
    assert "doesn't agree with its network" in error
    assert f"The report is in {tmp_path / 'failed'}" in error
    assert list_engines(tmp_path) == []
    assert list((tmp_path / "failed").rglob("parity.png"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--backend", "egaer"], "Did you mean 'eager'"),
        (["--precision", "fp8"], "precision is 'fp8'"),
        (["--precision", "int8"], "'eager' has no precision 'int8'"),
        (["--set", "level=3"], "no build argument 'level'"),
        (["--set", "level"], "--set needs key.path=value"),
        (["--batch", "0"], "batch is 0"),
        (["--compare", "nowhere.mp4"], "nowhere.mp4"),
        (["--device", "abacus"], "unknown device 'abacus'"),
    ],
)
def test_mistakes_end_with_one_line_and_status_2(
    weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    assert export(weights, tmp_path, *arguments) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("rtseg: ")
    assert message in last
    assert list_engines(tmp_path) == []


def test_what_can_not_run_here_is_not_built(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(weights, tmp_path, "--backend", "tensorrt") == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert "--unproven" in message or "pip install 'rtseg[tensorrt]'" in message


def test_engines_are_listed_checked_and_removed(
    engines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "engines"
    shutil.copytree(engines, root)
    name = only(root).name
    assert main(["engines", "--engines", str(root)]) == 0
    assert name in capsys.readouterr().out
    assert main(["engines", "--check", "--engines", str(root)]) == 0
    assert " ok " in capsys.readouterr().out

    (root / name / "program.pt2").write_bytes(b"damaged")
    (root / "half").mkdir()
    (root / "half" / "manifest.json").write_text("{")
    assert main(["engines", "--check", "--json", "--engines", str(root)]) == 1
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["engines"]}
    assert "7 bytes" in rows[name]["state"]
    assert rows[name]["manifest"]["spec"]["backend"] == "eager"
    assert rows["half"]["state"].startswith("broken: ")

    assert main(["engines", "--remove", "haf", "--engines", str(root)]) == 2
    assert "Did you mean 'half'" in capsys.readouterr().err
    assert main(["engines", "--remove", "half", name, "--engines", str(root)]) == 0
    assert not (root / name).exists()
    assert main(["engines", "--engines", str(root)]) == 0
    assert "no engines in" in capsys.readouterr().out.splitlines()[-1]


def test_an_engine_for_cuda_is_no_surprise_without(
    engines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if torch.cuda.is_available():
        pytest.skip("here is CUDA")
    root = tmp_path / "engines"
    shutil.copytree(engines, root)
    path = only(root) / "manifest.json"
    path.write_text(path.read_text().replace('"device": "cpu"', '"device": "cuda"'))
    assert main(["engines", "--check", "--json", "--engines", str(root)]) == 1
    assert "sees no CUDA device here" in capsys.readouterr().out


def test_the_self_test_passes_and_fails(
    engines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "engines"
    shutil.copytree(engines, root)
    folder = only(root)
    assert main(["selftest", folder.name, "--engines", str(root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "newborn 128x64 eager fp32 on cpu"
    assert lines[-1] == "passed"

    path = folder / "manifest.json"
    values = json.loads(path.read_text())
    values["notes"]["demo_drive"]["engine"]["mean_iou"] += 0.1
    path.write_text(json.dumps(values))
    assert main(["selftest", str(folder), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["passed"] is False
    assert "the manifest says" in found["failures"][0]
    assert main(["selftest", "nothing", "--engines", str(root)]) == 2
    assert f"no engine 'nothing' in {root}" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["512", "512x", "x288", "0x288", "512x288x3", "a x b"])
def test_sizes_are_width_times_height(text: str) -> None:
    assert wh_argument("512x288") == (512, 288)
    with pytest.raises(argparse.ArgumentTypeError, match="is no WIDTHxHEIGHT"):
        wh_argument(text)


def test_the_tool_runs_without_an_installation(
    weights: Path, repository: Path, tmp_path: Path
) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, repository / "tools" / "export_engine.py", weights, "--help"]
    done = subprocess.run(
        [*map(str, command)], cwd=tmp_path, env=environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "WIDTHxHEIGHT" in done.stdout


DEMO = "/configs/datasets/demo.yaml"


def training(repository: Path, root: Path, export: dict[str, object]) -> dict[str, object]:
    data = {"data": f"{repository}{DEMO}", "split": "train", "limit": 2}
    return {
        "name": "short",
        "network": {"name": "linknet"},
        "data": {"train": [data], "val": [{**data, "split": "val", "limit": 1}]},
        "crop_hw": [64, 64],
        "train": {"epochs": 1, "batch_size": 2, "precision": "fp32"},
        "export": [{"backend": "eager", "precision": "fp32", "engines": str(root), **export}],
    }


def test_training_ends_with_engines(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "short.yaml"
    root = tmp_path / "engines"
    config.write_text(yaml.safe_dump(training(repository, root, {"size_wh": [96, 64]})))
    output = ["--output", str(tmp_path / "run"), "--device", "cpu"]
    assert main(["train", str(config), *output]) == 0
    values = json.loads((only(root) / "manifest.json").read_text())
    assert values["spec"]["model"] == "short"
    assert values["spec"]["input_hw"] == [64, 96]
    assert values["parity"]["pixel_agreement"] >= 0.9999


def test_a_wrong_export_is_found_before_the_training(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "short.yaml"
    config.write_text(yaml.safe_dump(training(repository, tmp_path, {"precison": "fp16"})))
    output = tmp_path / "run"
    assert main(["train", str(config), "--output", str(output), "--device", "cpu"]) == 2
    assert "export.0: unknown key 'precison'. Did you mean 'precision'" in capsys.readouterr().err
    assert not output.exists()
