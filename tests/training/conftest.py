"""A data set, networks and a configuration that train in a second."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml

from rtseg.config import apply_overrides, validate
from rtseg.networks import NETWORKS
from rtseg.training.run import TrainResult, train
from rtseg.training.settings import TrainConfig

SCRIPT = Path(__file__).with_name("train_tiny.py")
COLOURS = np.array([(200, 180, 160), (60, 60, 60), (30, 120, 40)], np.uint8)


def _draw_pictures(folder: Path, count: int, seed: int) -> None:
    """Write pictures of sky over ground with a box, each class in its colour, noise on top."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    for index in range(count):
        labels = np.zeros((48, 64), np.uint8)
        labels[rng.integers(16, 32) :] = 1
        top, left = rng.integers(8, 24), rng.integers(4, 40)
        labels[top : top + 16, left : left + 16] = 2
        noise = rng.integers(-20, 20, (48, 64, 3))
        image = np.clip(COLOURS[labels].astype(int) + noise, 0, 255).astype(np.uint8)
        labels[:2] = 255
        cv2.imwrite(str(folder / "images" / f"{index:02}.png"), image)
        cv2.imwrite(str(folder / "masks" / f"{index:02}.png"), labels)


@pytest.fixture
def tiny_config(tmp_path: Path) -> Path:
    """The YAML file of a training of two steps per epoch."""
    for split, count, seed in (("train", 8, 0), ("val", 3, 1)):
        _draw_pictures(tmp_path / "data" / split, count, seed)
    names = ("sky", "ground", "box")
    data = {
        "layout": "folder",
        "root": str(tmp_path / "data"),
        "pictures": "{split}/images/{name}.png",
        "masks": {"path": "{split}/masks/{name}.png", "values": "train_ids"},
        "splits": {"train": {}, "val": {}},
        "class_set": "shapes",
        "classes": [{"name": n, "colour": [60 * i, 0, 0]} for i, n in enumerate(names, 1)],
    }
    run = {
        "name": "tiny-run",
        "network": {"name": "tiny"},
        "data": {
            "train": [{"data": "data.yaml", "split": "train"}],
            "val": [{"data": "data.yaml", "split": "val"}],
        },
        "crop_hw": [32, 40],
        "optim": {"lr": 0.01},
        "train": {"epochs": 3, "batch_size": 4, "validate_every": 1, "precision": "fp32"},
    }
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(data))
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(run))
    return path


@pytest.fixture
def tiny_networks() -> Iterator[None]:
    """Register the networks of train_tiny.py for one test."""
    spec = importlib.util.spec_from_file_location("train_tiny", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    path = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = path
    sys.modules["train_tiny"] = module  # torch.compile looks it up
    names = module.register()
    yield
    del sys.modules["train_tiny"]
    for name in names:
        del NETWORKS._items[name]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Make sums on the CPU come in one order, whatever the machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def train_tiny(
    tiny_config: Path, tiny_networks: None, one_thread: None, tmp_path: Path
) -> Callable[..., TrainResult]:
    """Train in this process: train_tiny("out", "train.epochs=1", resume=True)."""

    def run(output: str, *overrides: str, resume: bool = False) -> TrainResult:
        values: dict[str, Any] = yaml.safe_load(tiny_config.read_text())
        config = validate(TrainConfig, apply_overrides(values, overrides), "test")
        return train(config, tmp_path, tmp_path / output, resume, "cpu")

    return run


@pytest.fixture
def start_tiny(tiny_config: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `rtseg train` in a process of its own: start_tiny("out", "train.epochs=1")."""
    started: list[subprocess.Popen[str]] = []

    def start(
        output: str, *overrides: str, resume: bool = False, launcher: tuple[str, ...] = ()
    ) -> subprocess.Popen[str]:
        sets = [part for override in overrides for part in ("--set", override)]
        command = [sys.executable, *launcher, str(SCRIPT), "train", str(tiny_config), *sets]
        command += ["--output", str(tmp_path / output), "--device", "cpu"]
        process = subprocess.Popen(
            command + ["--resume"] * resume,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
