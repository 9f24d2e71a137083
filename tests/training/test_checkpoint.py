"""Checkpoints are whole or not there, run no code, and are held against the configuration."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from rtseg.errors import ConfigError, WeightsError
from rtseg.training.checkpoint import (
    check_config,
    load_checkpoint,
    save_checkpoint,
)
from rtseg.whole_file import write_whole_file


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"step": 3, "weights": {"a": torch.arange(4)}, "losses": [0.5]})
    state = load_checkpoint(path)
    assert state["step"] == 3
    assert torch.equal(state["weights"]["a"], torch.arange(4))
    assert list(tmp_path.iterdir()) == [path]


def test_a_failing_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"step": 1})

    def fail(file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        write_whole_file(path, fail)
    assert load_checkpoint(path)["step"] == 1
    assert list(tmp_path.iterdir()) == [path]


WRITER = """
import sys, torch
from pathlib import Path
from rtseg.training.checkpoint import save_checkpoint
step = 0
while True:
    save_checkpoint(Path(sys.argv[1]), {"step": step, "tensor": torch.full((200_000,), step)})
    step += 1
"""


def test_kill_at_any_moment_leaves_a_whole_file(tmp_path: Path, repository: Path) -> None:
    path = tmp_path / "last.pt"
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], env=environment)
    while not path.exists():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.31)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    state = load_checkpoint(path)
    assert bool((state["tensor"] == state["step"]).all())


@pytest.mark.parametrize("content", [b"", b"no checkpoint at all", b"PK\x03\x04 cut short"])
def test_damaged_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "last.pt"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"last\.pt can't be read as a checkpoint"):
        load_checkpoint(path)


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"tensor": torch.zeros(10_000)})
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(WeightsError, match="can't be read"):
        load_checkpoint(path)


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("pwned",)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"format_version": 1, "step": _Evil()}, "evil.pt")
    Path("pickle.pt").write_bytes(pickle.dumps(_Evil(), protocol=2))
    for name in ("evil.pt", "pickle.pt"):
        with pytest.raises(WeightsError, match="can't be read"):
            load_checkpoint(Path(name))
    assert not Path("pwned").exists()


def test_other_files_and_versions_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2)}, tmp_path / "foreign.pt")
    with pytest.raises(WeightsError, match="format None; this rtseg reads 1"):
        load_checkpoint(tmp_path / "foreign.pt")
    with pytest.raises(WeightsError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "missing.pt")


def test_only_what_makes_no_other_training_may_change() -> None:
    saved = {"optim": {"lr": 0.1, "lr_factors": {}}, "train": {"clip": None, "epochs": 2}}
    now = {"optim": {"lr": 0.2, "lr_factors": {}}, "train": {"clip": 1.0, "epochs": 2}}
    assert check_config(saved, now, Path("last.pt")) == [
        "optim.lr: 0.1 in the checkpoint, 0.2 now",
        "train.clip: None in the checkpoint, 1.0 now",
    ]
    now["optim"]["lr_factors"] = {"head.*": 2.0}  # type: ignore[index]
    with pytest.raises(ConfigError, match=r"optim\.lr_factors.*head"):
        check_config(saved, now, Path("last.pt"))
