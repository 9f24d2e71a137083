"""`rtseg evaluate --instances` on the demo drive, and a training that learns objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from rtseg.classes import CAMVID
from rtseg.cli import main
from rtseg.networks import build_network
from rtseg.networks.trained import ModelCard, load_trained, save_trained


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    values: dict[str, Any] = {
        "layout": "demo", "width_px": 96, "height_px": 72,
        "splits": {
            "train": {"seeds": [100], "pictures_per_seed": 4},
            "val": {"seeds": [200], "pictures_per_seed": 2},
        },
    }  # fmt: skip
    path = tmp_path_factory.mktemp("data") / "demo.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def saved(folder: Path, network: str) -> Path:
    torch.manual_seed(0)
    path = folder / "best.safetensors"
    card = ModelCard("newborn", network, CAMVID, (72, 96))
    save_trained(path, build_network(network, len(CAMVID)), card)
    return path


@pytest.mark.parametrize(
    ("network", "how", "method"),
    [
        pytest.param("deep-watershed", ["--instances"], "energy", marks=pytest.mark.slow),
        pytest.param(
            "deep-watershed", ["--instances", "components"], "components", marks=pytest.mark.slow
        ),
        ("ternausnet-v2-resnet18", ["--instances", "auto"], "border"),
    ],
)
def test_it_prints_and_writes_ap_and_pq(
    demo: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    network: str,
    how: list[str],
    method: str,
) -> None:
    weights, report = saved(tmp_path, network), tmp_path / "report.json"
    arguments = ["evaluate", str(weights), "--data", str(demo), "--json", str(report)]
    assert main([*arguments, "--device", "cpu", *how]) == 0
    printed = capsys.readouterr().out
    assert "AP (0.50 to 0.95)" in printed
    assert "panoptic quality" in printed
    values = json.loads(report.read_text())["instances"]
    assert values["method"] == method
    assert values["things"] == ["Car", "Pedestrian", "Bicyclist"]
    assert 0 <= values["metrics"]["pq"] <= 1
    assert values["pictures"] == 2


def test_what_cannot_be_is_one_readable_line(
    demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = saved(tmp_path, "deep-watershed")
    arguments = ["evaluate", str(weights), "--data", str(demo), "--device", "cpu", "--limit", "1"]
    assert main([*arguments, "--instances", "border"]) == 2
    assert "DeepWatershed has no maps for 'border'; it takes energy" in capsys.readouterr().err
    assert main([*arguments, "--instances", "--flip"]) == 2
    assert "leave out --flip" in capsys.readouterr().err
    assert main([*arguments, "--instances", "--crf"]) == 2
    assert "leave out --crf" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("network", ["deep-watershed", "ternausnet-v2-resnet18"])
def test_a_training_learns_objects_from_another_networks_encoder(
    demo: Path, tmp_path: Path, network: str
) -> None:
    run = {
        "name": "objects",
        "network": {"name": network},
        "init": {"weights": "linknet-camvid", "encoder_only": True},
        "data": {
            "train": [{"data": str(demo), "split": "train"}],
            "val": [{"data": str(demo), "split": "val"}],
        },
        "crop_hw": [64, 96],
        "train": {"epochs": 2, "batch_size": 4, "validate_every": 1, "precision": "fp32"},
    }
    config, out = tmp_path / "run.yaml", tmp_path / "out"
    config.write_text(yaml.safe_dump(run))
    assert main(["train", str(config), "--output", str(out), "--device", "cpu"]) == 0
    header = (out / "steps.csv").read_text().splitlines()[0]
    learned = ["direction", "energy"] if network == "deep-watershed" else ["border"]
    assert all(name in header for name in learned)
    assert load_trained(out / "best.safetensors").network.finds_instances
