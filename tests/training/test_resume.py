"""Trainings that are killed or stopped, in processes of their own; another one goes on exactly."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rtseg.networks.trained import load_trained
from rtseg.training.checkpoint import load_checkpoint
from rtseg.training.run import TrainResult

Start = Callable[..., "subprocess.Popen[str]"]

SLOWLY = ("train.epochs=20", "train.save_every_minutes=0", "train.validate_every=7")
"""40 steps, each with a checkpoint behind it."""


def _finish(process: subprocess.Popen[str]) -> str:
    text, _ = process.communicate(timeout=120)
    return text


def _wait_for_steps(folder: Path, count: int, process: subprocess.Popen[str]) -> None:
    path = folder / "steps.csv"
    deadline = time.monotonic() + 120
    while not path.is_file() or path.read_text().count("\n") <= count:
        assert process.poll() is None, _finish(process)
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_killed_training_goes_on_bit_for_bit(
    start_tiny: Start, train_tiny: Callable[..., TrainResult], tmp_path: Path
) -> None:
    for steps in (6, 20):  # killed twice, each time without warning
        process = start_tiny("killed", *SLOWLY, resume=True)
        _wait_for_steps(tmp_path / "killed", steps, process)
        process.kill()
        assert process.wait(60) == -signal.SIGKILL
        # The log may be one step ahead of the checkpoint that the kill came before.
        assert steps - 1 <= load_checkpoint(tmp_path / "killed" / "last.pt")["step"] < 40
    train_tiny("killed", *SLOWLY, resume=True)
    train_tiny("whole", *SLOWLY)
    losses = [(tmp_path / name / "steps.csv").read_text() for name in ("whole", "killed")]
    assert losses[0].count("\n") == 41
    assert losses[0] == losses[1]
    states = [
        load_trained(tmp_path / name / "best.safetensors").network.state_dict()
        for name in ("whole", "killed")
    ]
    assert all(bool((states[0][key] == states[1][key]).all()) for key in states[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_ends(start_tiny: Start, tmp_path: Path, number: signal.Signals) -> None:
    process = start_tiny("out", "train.epochs=100000", "train.validate_every=100000")
    _wait_for_steps(tmp_path / "out", 0, process)  # the file is there once the loop begins
    time.sleep(0.2)
    process.send_signal(number)
    text = _finish(process)
    assert process.returncode == 128 + number, text
    assert f"stopped by {number.name}; saved, --resume goes on" in text
    assert "Traceback" not in text
    step = load_checkpoint(tmp_path / "out" / "last.pt")["step"]
    lines = (tmp_path / "out" / "steps.csv").read_text().splitlines()
    assert lines[-1].startswith(f"{step - 1},")
