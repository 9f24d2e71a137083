"""The dense CRF from the command line: `rtseg evaluate --crf` and `rtseg stream --dense-crf`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml

from rtseg.classes import CAMVID
from rtseg.cli import main
from rtseg.dense_crf import DenseCrfConfig
from rtseg.networks import NETWORKS, build_network
from rtseg.networks.trained import ModelCard, load_trained, save_trained
from rtseg.training.datasets import open_dataset
from rtseg.training.evaluate import evaluate

SMALL = ("--engine-size", "96x64", "--backend", "eager", "--precision", "fp32")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest network, as it was born, for CamVid's classes."""
    torch.manual_seed(0)
    name = min(NETWORKS, key=lambda known: NETWORKS[known].card.gmacs)
    path = tmp_path_factory.mktemp("run") / "best.safetensors"
    network = build_network(name, len(CAMVID))
    save_trained(path, network, ModelCard("newborn", name, CAMVID, (64, 64)))
    return path


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures of 64x96 in blocks of colour, labels at random."""
    folder, rng = tmp_path_factory.mktemp("blocks"), np.random.default_rng(3)
    for index in range(2):
        image = cv2.resize(rng.integers(0, 256, (6, 9, 3), np.uint8), (96, 64))
        for kind, pixels in (("image", image), ("mask", rng.integers(0, 11, (64, 96), np.uint8))):
            cv2.imwrite(str(folder / f"{kind}_{index}.png"), pixels)
    values: dict[str, Any] = {
        "layout": "folder", "root": str(folder), "class_set": "camvid", "splits": {"val": {}},
        "pictures": "image_{name}.png", "masks": {"path": "mask_{name}.png", "values": "train_ids"},
        "classes": [
            {"name": name, "colour": list(colour)}
            for name, colour in zip(CAMVID.names, CAMVID.colours_rgb, strict=True)
        ],
    }  # fmt: skip
    path = folder / "blocks.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def run_evaluate(*arguments: object) -> int:
    return main(["evaluate", *map(str, arguments), "--device", "cpu"])


def test_evaluation_without_and_with(
    weights: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "scores.json"
    asked = ("--boundary", "--json", report, "--crf", "--crf-set", "cell_px=8")
    assert run_evaluate(weights, "--data", config, *asked) == 0
    values = json.loads(report.read_text())
    crf = DenseCrfConfig(cell_px=8)
    assert values["dense_crf"] == crf.model_dump()

    dataset, trained = open_dataset(config, "val"), load_trained(weights)
    for found, setting in ((values["without_dense_crf"], None), (values, crf)):
        direct = evaluate(
            trained.network, dataset, trained.card.normalisation,
            device=torch.device("cpu"), boundary=True, crf=setting,
        )  # fmt: skip
        assert found["metrics"] == pytest.approx(direct.metrics())
    assert values["metrics"] != values["without_dense_crf"]["metrics"]

    text = capsys.readouterr().out
    before, after = (f"{100 * part['metrics']['boundary_f']:.2f} %"
                     for part in (values["without_dense_crf"], values))  # fmt: skip
    line = next(line for line in text.splitlines() if before in line and after in line)
    assert line.startswith("mean boundary F score")
    assert "ms a picture" in text


def test_evaluation_says_when_there_is_none(weights: Path, config: Path, tmp_path: Path) -> None:
    report = tmp_path / "scores.json"
    assert run_evaluate(weights, "--data", config, "--json", report) == 0
    values = json.loads(report.read_text())
    assert values["dense_crf"] is None
    assert "without_dense_crf" not in values


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("cel_px=2", "Did you mean 'cell_px'"),
        ("cell_px=0", "cell_px is 0"),
        ("4", "key.path=value"),
    ],
)
def test_wrong_settings_are_one_line(
    weights: Path, config: Path, capsys: pytest.CaptureFixture[str], setting: str, message: str
) -> None:
    assert run_evaluate(weights, "--data", config, "--crf-set", setting) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_stream_is_refined(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = tmp_path / "figures.json"
    for index in range(2):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((96, 160, 3), 90 * index, np.uint8))
    source = (str(tmp_path), "-o", "null")
    asked = ("--dense-crf", "--set", "postprocess.dense_crf.iterations=2")
    assert main(["stream", *source, *asked, "--print-config"]) == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["postprocess"]["dense_crf"] == DenseCrfConfig(iterations=2).model_dump()
    assert main(["stream", *source, *SMALL, *asked, "--summary", str(figures)]) == 0
    assert json.loads(figures.read_text())["pictures"] == 2
