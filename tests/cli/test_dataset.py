"""``rtseg dataset``: the table, the problems, the sheet and the exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from rtseg.cli import main

CONFIG: dict[str, Any] = {
    "layout": "folder", "title": "My [drives]", "root": "own", "pictures": "{split}/{name}.jpg",
    "masks": {"path": "{split}/{name}.png", "values": "ids"}, "splits": {"train": {}, "val": {}},
    "class_set": "own",
    "classes": [
        {"name": "ground", "colour": [10, 200, 30], "ids": [0]},
        {"name": "road", "colour": [200, 40, 90], "ids": [1]},
        {"name": "car [van]", "colour": [20, 30, 250], "ids": [2]},
    ],
    "void": {"ids": [255]},
}  # fmt: skip


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RTSEG_DATA", str(tmp_path))
    (tmp_path / "own/train").mkdir(parents=True)
    for name, width in (("a", 60), ("b", 60), ("c", 90)):
        mask = np.zeros((40, width), np.uint8)
        mask[20:] = 1
        mask[:, 0] = 255
        write(tmp_path / f"own/train/{name}.png", mask)
        write(tmp_path / f"own/train/{name}.jpg", np.full((40, width, 3), 120, np.uint8))
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(CONFIG))
    return tmp_path / "own.yaml"


def write(path: Path, pixels: np.ndarray) -> None:
    assert cv2.imwrite(str(path), pixels)


def test_a_sound_data_set(config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", str(config)]) == 0
    output, noise = capfd.readouterr()
    assert "My [drives], train: 3 pictures" in output
    assert "60x40 (2), 90x40 (1)" in output
    rows = {line.split()[2]: line.split() for line in output.splitlines() if "██" in line}
    assert rows["ground"] == ["0", "██", "ground", "50.00", "3"]
    assert rows["car"] == ["2", "██", "car", "[van]", "0.00", "0"]
    assert "void: 1.43 % of all pixels" in output
    assert "in no picture: car [van]" in output
    assert "no problem found" in output
    assert noise == ""


def test_problems_are_counted_and_the_first_ones_named(
    config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = config.parent / "own/train"
    for number in range(7):
        write(folder / f"n{number}.jpg", np.zeros((4, 4, 3), np.uint8))
        write(folder / f"n{number}.png", np.full((4, 4), 9, np.uint8))
    (folder / "a.png").unlink()
    (folder / "b.jpg").write_bytes((folder / "b.jpg").read_bytes()[:200])
    assert main(["dataset", str(config)]) == 2
    output, noise = capfd.readouterr()
    assert "9 pictures can't be used:" in output
    assert "a.jpg has no mask" in output
    assert "b.jpg is cut off" in output
    assert "n0.png holds the id 9 in 16 pixels" in output
    assert "and 4 more" in output
    assert "n6.png" not in output
    assert noise == ""


def test_json_names_everything(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "own/train/a.png").unlink()
    assert main(["dataset", str(config), "--json"]) == 2
    values = json.loads(capsys.readouterr().out)
    assert values["split"] == "train"
    assert values["pictures"] == 3
    assert len(values["problems"]) == 1
    assert [row["pictures"] for row in values["classes"]] == [2, 2, 0]


def test_the_sheet_shows_pictures_labels_and_legend(config: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheets/sheet.png"
    assert main(["dataset", str(config), "-o", str(sheet)]) == 0
    image = cv2.imread(str(sheet))
    assert image is not None
    ground, road = np.array([30, 200, 10]), np.array([90, 40, 200])
    for colour in (ground, road):
        swatch = (image == colour).all(axis=2)
        assert swatch.any()
        assert np.argwhere(swatch)[:, 1].min() > 3 * 480  # to the right of three cells
        mixed = np.abs(image - (colour + 120.0) / 2).max(axis=2) < 1
        assert mixed.sum() > 3 * 480 * 100


def test_a_split_without_data_is_one_line(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", str(config), "--split", "val"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert "own/val" in output.err


def test_a_missing_config_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "configs/datasets/camvd.yaml"]) == 2
    assert "no such data set file: configs/datasets/camvd.yaml" in capsys.readouterr().err


def test_the_sheet_is_a_png(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["dataset", str(config), "-o", "sheet.jpg"])
    assert "'sheet.jpg' must end in .png" in capsys.readouterr().err
