"""`rtseg train` and its thin door: a real run, and bad input in one line with status 2."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from rtseg.cli import main
from rtseg.config import load_config
from rtseg.training.settings import TrainConfig

CONFIG = "configs/train/linknet_camvid.yaml"
SMALL = [
    "--set", "data.train=[{data: ../datasets/demo.yaml, split: train, limit: 2}]",
    "--set", "data.val=[{data: ../datasets/demo.yaml, split: val, limit: 1}]",
    "--set", "crop_hw=[64, 64]", "--set", "train={epochs: 1, batch_size: 2}", "--device", "cpu",
]  # fmt: skip


@pytest.mark.slow
def test_the_door_trains_a_real_network(repository: Path, tmp_path: Path) -> None:
    command = [sys.executable, "tools/train.py", CONFIG, *SMALL, "--output", str(tmp_path / "out")]
    done = subprocess.run(
        command, cwd=repository, capture_output=True, text=True, timeout=250,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "epoch 1/1: loss" in done.stderr
    assert (tmp_path / "out" / "best.safetensors").is_file()


def _fails(capsys: pytest.CaptureFixture[str], repository: Path, *arguments: str) -> str:
    output = ["--output", str(repository / "never-made")]
    status = main(["train", str(repository / CONFIG), *output, "--device", "cpu", *arguments])
    error = capsys.readouterr().err
    assert status == 2
    assert error.count("\n") == 1
    assert error.startswith("rtseg: ")
    assert not (repository / "never-made").exists()
    return error


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["optim.lr=.nan"], "optim.lr is nan"),
        (["optim.lr=fast"], "optim.lr is 'fast'"),
        (["train.epoch=3"], "unknown key 'train.epoch'. Did you mean 'epochs'?"),
        (["network.name=linket"], "unknown network 'linket'. Did you mean 'linknet'?"),
        (["crop_hw=[350, 480]"], "multiples of 32 from 32 up, such as 352x480"),
        (["crop_hw=[352]"], "crop_hw"),
        (["data.train.0.split=trian"], "no split 'trian'"),
        (["data.train.0.data=nowhere.yaml"], "no such data set file"),
        (["name=../run"], "letters, digits"),
        (["stages=[{epochs: 2}]", "train.epochs=3"], "either stages"),
        (["criterion.distillation={weight: 1}"], "needs a teacher"),
        (["init.weights=nothing.safetensors"], "no weights"),
        (["epochs"], "--set needs key.path=value"),
        (["train.batch_size=3", "train.accumulate=2"], "can't be split evenly over 2 parts"),
    ],
)
def test_bad_input_ends_in_one_line(
    overrides: list[str],
    message: str,
    repository: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sets = [part for override in (*DEMO, *overrides) for part in ("--set", override)]
    assert message in _fails(capsys, repository, *sets)


DEMO = (
    "data.train=[{data: ../datasets/demo.yaml, split: train}]",
    "data.val=[{data: ../datasets/demo.yaml, split: val}]",
)
"""Data that every machine has."""


def test_a_missing_configuration_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(tmp_path / "run.yaml")]) == 2
    assert "no such configuration file" in capsys.readouterr().err


def test_missing_data_say_where_they_are_looked_for(
    repository: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RTSEG_DATA", str(tmp_path))
    assert str(tmp_path) in _fails(capsys, repository)


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[2].glob("configs/train/*.yaml")))
def test_every_configuration_is_valid(path: Path) -> None:
    config = load_config(TrainConfig, path)
    assert config.name
    written = yaml.safe_load(yaml.safe_dump(config.model_dump(mode="json", exclude_unset=True)))
    assert TrainConfig.model_validate(written) == config
