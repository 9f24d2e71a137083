"""`rtseg evaluate`, from files on the disk to the table, the JSON file and the panels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml

from rtseg.classes import CAMVID, VOID, ClassSet
from rtseg.cli import main
from rtseg.cli._evaluation import notable
from rtseg.networks import NETWORKS, build_network
from rtseg.networks.trained import ModelCard, load_trained, save_trained
from rtseg.training.datasets import open_dataset
from rtseg.training.evaluate import PictureScore, evaluate

LIGHTS = ClassSet("lights", ("off", "on"), ((0, 0, 0), (255, 255, 0)))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest network, as it was born, for CamVid's classes."""
    torch.manual_seed(0)
    name = min(NETWORKS, key=lambda known: NETWORKS[known].card.gmacs)
    path = tmp_path_factory.mktemp("run") / "best.safetensors"
    save_trained(
        path, build_network(name, len(CAMVID)), ModelCard("newborn", name, CAMVID, (64, 64))
    )
    return path


def write_dataset(folder: Path, classes: ClassSet, void: int = 250) -> Path:
    """Write five pictures of 70x90 (the last 64x64), labels in blocks, and the YAML file."""
    rng = np.random.default_rng(5)
    for index in range(5):
        height, width = (70, 90) if index < 4 else (64, 64)
        ids = rng.integers(0, len(classes), (7, 9), np.uint8)
        ids[0, 0] = void
        labels = cv2.resize(ids, (width, height), interpolation=cv2.INTER_NEAREST)
        image = cv2.resize(rng.integers(0, 256, (7, 9, 3), np.uint8), (width, height))
        for kind, pixels in (("pictures", image), ("masks", labels)):
            path = folder / kind / "val" / f"frame_{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), pixels)
    entries = [
        {"name": name, "colour": list(colour), "ids": [index]}
        for index, (name, colour) in enumerate(zip(classes.names, classes.colours_rgb, strict=True))
    ]
    values: dict[str, Any] = {
        "layout": "folder",
        "root": str(folder),
        "pictures": "pictures/{split}/{name}.png",
        "masks": {"path": "masks/{split}/{name}.png", "values": "ids"},
        "splits": {"val": {}},
        "class_set": classes.name,
        "classes": entries,
        "void": {"ids": [void]},
    }
    config = folder / "blocks.yaml"
    config.write_text(yaml.safe_dump(values))
    return config


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("blocks"), CAMVID)


def run(*arguments: object) -> int:
    return main(["evaluate", *map(str, arguments), "--device", "cpu"])


def test_files_in_scores_out(
    weights: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, panels = tmp_path / "deep" / "scores.json", tmp_path / "panels"
    options = ("--boundary", "--json", report, "--pictures", panels)
    assert run(weights, "--data", config, *options) == 0
    values = json.loads(report.read_text())

    dataset, trained = open_dataset(config, "val"), load_trained(weights)
    direct = evaluate(
        trained.network,
        dataset,
        trained.card.normalisation,
        device=torch.device("cpu"),
        boundary=True,
    )
    assert values["metrics"] == pytest.approx(direct.metrics())
    assert values["confusion"] == direct.confusion.tolist()
    labelled = sum(int((dataset[index].labels != VOID).sum()) for index in range(5))
    assert direct.confusion.sum() == labelled
    assert list(values["classes"]) == list(CAMVID.names)
    assert [picture["name"] for picture in values["pictures"]] == dataset.names
    assert (values["name"], values["split"], values["precision"]) == ("newborn", "val", "fp32")

    text = capsys.readouterr().out
    assert "5 pictures" in text
    assert all(name in text for name in CAMVID.names)
    assert f"{100 * values['metrics']['mean_iou']:.2f} %" in text
    names = sorted(path.name for path in panels.iterdir())
    assert names == ["best_1.png", "median_1.png", "overview.png", "worst_1.png"]
    worst = min(values["pictures"], key=lambda picture: picture["mean_iou"])
    assert f"worst 1: {worst['name']}, mIoU {100 * worst['mean_iou']:.2f} %" in text
    panel, sheet = (cv2.imread(str(panels / name)) for name in ("worst_1.png", "overview.png"))
    assert panel is not None
    assert sheet is not None
    assert panel.shape[1] > 4 * 64
    assert sheet.shape[1] >= 1600


def test_what_is_chosen_is_what_is_measured(weights: Path, config: Path, tmp_path: Path) -> None:
    report = tmp_path / "scores.json"
    chosen = ("--include", "frame_[0-3]", "--exclude", "frame_1")
    modes = ("--flip", "--video", "--resize", "64x96", "--batch-size", 2, "--precision", "bf16")
    assert run(weights.parent, "--data", config, "--json", report, *chosen, *modes) == 0
    values = json.loads(report.read_text())
    assert [picture["name"] for picture in values["pictures"]] == ["frame_0", "frame_2", "frame_3"]
    assert (values["flip"], values["input_hw"], values["precision"]) == (True, [64, 96], "bf16")
    metrics = values["metrics"]
    assert metrics["temporal_consistency"] + metrics["flicker"] == pytest.approx(1)
    assert "boundary_f" not in metrics


def test_the_output_is_readable_in_a_pipe(
    weights: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(weights, "--data", config, "--limit", 1, "--boundary") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "\x1b" not in "".join(lines)
    table = [line.split() for line in lines]
    road = next(cells for cells in table if cells[:1] == ["Road"])
    assert len(road) == 5  # one line for a class: name, IoU, accuracy, share, boundary F


def test_other_classes_are_refused_by_name(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(weights, "--data", write_dataset(tmp_path, LIGHTS)) == 2
    message = capsys.readouterr().err
    assert "newborn labels the 11 classes of 'camvid' (Sky, Building," in message
    assert "the 2 of 'lights' (off, on)" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-weights"], "no-such-weights"),
        (["{weights}", "--split", "vall"], "Did you mean 'val'"),
        (["{weights}", "--include", "x*"], "'x*' fits none of the 5 pictures"),
        (["{weights}", "--device", "abacus"], "unknown device 'abacus'"),
        (["{weights}", "--video", "--limit", "3"], "--limit picks single ones"),
        (["{empty}"], "has no best.safetensors; name a weights file"),
    ],
)
def test_mistakes_end_with_one_line_and_status_2(
    weights: Path,
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    filled = [text.format(weights=weights, empty=tmp_path) for text in arguments]
    assert main(["evaluate", "--data", str(config), *filled]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "value"),
    [("--resize", "360"), ("--resize", "0x9"), ("--batch-size", "0"), ("--limit", "two")],
)
def test_numbers_that_are_none_are_refused(option: str, value: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("x", "--data", "y", option, value)


@pytest.mark.parametrize(
    ("ious", "expected"),
    [
        ([], {}),
        ([0.5], {0: "worst 1"}),
        ([0.5, 0.4], {1: "worst 1", 0: "best 1"}),
        ([0.5, float("nan"), 0.4, 0.6], {2: "worst 1", 0: "median 1", 3: "best 1"}),
        (
            [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3],
            {6: "worst 1", 5: "worst 2", 4: "median 1", 3: "median 2", 1: "best 2", 0: "best 1"},
        ),
    ],
)
def test_notable_pictures(ious: list[float], expected: dict[int, str]) -> None:
    found = notable([PictureScore(str(index), iou) for index, iou in enumerate(ious)])
    assert list(found.items()) == list(expected.items())


def test_the_tool_runs_from_anywhere_without_an_installation(
    weights: Path, config: Path, repository: Path, tmp_path: Path
) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, repository / "tools" / "evaluate.py", weights, "--data", config]
    result = subprocess.run(
        [*map(str, command), "--limit", "1", "--device", "cpu"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "1 picture\n" in result.stdout
    assert result.stderr == ""
