"""The commands with the weights of a binary network."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from rtseg.backends import list_engines
from rtseg.backends.engine_folder import open_engine_folder
from rtseg.cli import main
from rtseg.export import demo_frames
from rtseg.networks import NETWORKS, build_network
from rtseg.networks.trained import ModelCard, load_trained, save_trained
from rtseg.training.datasets.salt_standin import SALT, draw_section
from rtseg.training.predictor import Predictor

CPU = ["--device", "cpu"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest network, as it was born, with one channel and a threshold among its answers."""
    torch.manual_seed(0)
    name = min(NETWORKS, key=lambda known: NETWORKS[known].card.gmacs)
    network = build_network(name, 1).eval()
    with torch.no_grad():
        middle = network(torch.randn(1, 3, 128, 128)).median().sigmoid().item()
    card = ModelCard("newborn-salt", name, SALT, (101, 101), threshold=middle, padding="reflect")
    path = tmp_path_factory.mktemp("run") / "best.safetensors"
    save_trained(path, network, card)
    return path


@pytest.fixture
def section(tmp_path: Path) -> Path:
    path = tmp_path / "section.png"
    cv2.imwrite(str(path), draw_section(1, 0)[0])
    return path


def test_segment_thresholds(weights: Path, section: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    arguments = ["segment", str(weights), str(section), "-o", str(output), "--masks", "--native"]
    assert main([*arguments, "--precision", "fp32", *CPU]) == 0
    mask = cv2.imread(str(output / "section_mask.png"), cv2.IMREAD_UNCHANGED)
    trained = load_trained(weights)
    predictor = Predictor(
        trained.network, trained.card.normalisation, torch.device("cpu"),
        threshold=trained.card.threshold, padding="reflect",
    )  # fmt: skip
    np.testing.assert_array_equal(mask, predictor.labels([cv2.imread(str(section))])[0])
    assert set(np.unique(mask)) == {0, 1}


def test_evaluate_says_dice_mask_precision_and_threshold(
    weights: Path, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, found = repository / "configs/datasets/salt_standin.yaml", tmp_path / "scores.json"
    arguments = ["evaluate", str(weights), "--data", str(data), "--limit", "2"]
    assert main([*arguments, "--json", str(found), *CPU]) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("Dice", "mean mask precision", "threshold 0."))
    values = json.loads(found.read_text())
    assert values["threshold"] == load_trained(weights).card.threshold
    assert len(values["threshold_curve"]["iou"]) == 99
    assert main(["networks", str(weights)]) == 0
    assert "for salt, one channel" in capsys.readouterr().out


@pytest.mark.slow
def test_an_engine_is_exported_proven_and_says_its_threshold(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_frames, "FRAMES_EACH", 1)
    arguments = ["export", str(weights), "--backend", "eager", "--precision", "fp32", *CPU]
    assert main([*arguments, "--size", "101x101", "--engines", str(tmp_path)]) == 0
    (found,) = list_engines(tmp_path)
    manifest = open_engine_folder(found.path).manifest
    assert manifest.notes["threshold"] == load_trained(weights).card.threshold
    assert list(manifest.classes.names) == ["background", "salt"]
    assert manifest.parity is not None
