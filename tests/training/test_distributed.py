"""Two real processes that train one network through torchrun, and exchanges with oneself."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from rtseg.errors import ConfigError
from rtseg.networks.trained import load_trained
from rtseg.training.checkpoint import load_checkpoint
from rtseg.training.distributed import Processes, processes
from rtseg.training.history import read_steps

TWO = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
PLAIN = (
    "network.name=tiny-plain", "crop_hw=[48, 64]", "train.epochs=6", "train.validate_every=2",
    "augment={scale: [1, 1], flip: 0, brightness: 0, contrast: 0, saturation: 0, hue_deg: 0}",
)  # fmt: skip


def test_two_processes_learn_what_one_does(
    start_tiny: Callable[..., subprocess.Popen[str]],
    train_tiny: Callable[..., object],
    tmp_path: Path,
) -> None:
    process = start_tiny("two", *PLAIN, launcher=TWO)
    train_tiny("one", *PLAIN)
    text, _ = process.communicate(timeout=200)
    assert process.returncode == 0, text
    one, two = (read_steps(tmp_path / name / "steps.csv") for name in ("one", "two"))
    assert len(two["step"]) == 12
    assert two["loss"] == pytest.approx(one["loss"], rel=1e-3)
    states = [load_checkpoint(tmp_path / name / "last.pt") for name in ("one", "two")]
    vals = [[record["val"] for record in state["epochs"]] for state in states]
    assert [bool(val) for val in vals[1]] == [False, True] * 3
    assert vals[1][-1]["mean_iou"] == pytest.approx(vals[0][-1]["mean_iou"], abs=0.02)
    weights = [
        load_trained(tmp_path / name / "final.safetensors").network for name in ("one", "two")
    ]
    for a, b in zip(*(network.parameters() for network in weights), strict=True):
        torch.testing.assert_close(a, b, rtol=0.02, atol=2e-3)
    assert text.count("epoch 6/6") == 1  # only one of the two speaks


def test_two_processes_stop_together_and_go_on(
    start_tiny: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    endless = ("train.epochs=3000", "train.validate_every=10000", "train.save_every_minutes=0")
    process = start_tiny("out", *endless, launcher=TWO)
    deadline = time.monotonic() + 120
    while not (tmp_path / "out" / "last.pt").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.terminate()
    text, _ = process.communicate(timeout=120)
    assert "stopped by" in text, text
    step = load_checkpoint(tmp_path / "out" / "last.pt")["step"]
    lines = (tmp_path / "out" / "steps.csv").read_text().splitlines()
    assert lines[-1].startswith(f"{step - 1},")


def test_alone_every_exchange_is_with_oneself() -> None:
    with processes("cpu") as alone:
        assert alone == Processes(torch.device("cpu"))
        network = torch.nn.Linear(2, 2)
        assert alone.wrap(network) is network
        assert alone.sync_batch_norm(network) is network
        assert alone.any(True)
        assert not alone.any(False)
        assert alone.sum(np.arange(3)).tolist() == [0, 1, 2]
        assert alone.mean_(torch.tensor([4.0])).item() == 4.0


def test_half_an_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ConfigError, match=r"RANK is ''.*torchrun"), processes("cpu"):
        pass
