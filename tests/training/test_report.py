"""What a training leaves for people: curves, pictures, card; and what lacks an extra says so."""

from __future__ import annotations

import builtins
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest

from rtseg.training.curves import draw_curves
from rtseg.training.events import Events
from rtseg.training.history import EpochRecord
from rtseg.training.run import TrainResult


@pytest.fixture
def without_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the packages of the extra "train" look as if they weren't installed."""
    real = builtins.__import__

    def fake(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith(("matplotlib", "torch.utils.tensorboard")):
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", fake)


def test_the_page_shows_and_says_everything(train_tiny: Callable[..., TrainResult]) -> None:
    result = train_tiny("out", "train.epochs=2", "licence=CC0 for this test")
    card = result.folder.card.read_text()
    for text in ("# tiny-run", "| box |", "CC0 for this test", "train data: data train", "seed: 0"):
        assert text in card
    for name in re.findall(r"!\[.*\]\((.*)\)", card):
        assert cv2.imread(str(result.folder.path / name)) is not None
    page = result.folder.page.read_text()
    assert page.count("<figure>") == 3 + 1  # the validation pictures and the legend
    assert not re.search(r'src="(?!data:)', page)
    assert list(result.folder.events.glob("events.out.tfevents.*"))


def test_without_the_extra_one_line_says_what_brings_it(
    without_extras: None,
    train_tiny: Callable[..., TrainResult],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    result = train_tiny("out", "train.epochs=1")
    assert result.complete
    assert caplog.text.count("pip install 'rtseg[train]'") == 2
    assert not result.folder.curves.exists()
    assert "curves.png" not in result.folder.card.read_text()


def test_curves_of_a_training_without_validation(tmp_path: Path) -> None:
    steps = tmp_path / "steps.csv"
    steps.write_text("step,epoch,lr,loss,grad_norm\n0,0,0.1,2.0,1.0\n1,0,0.1,1.5,1.0\n")
    record = EpochRecord(0, 2, 0.1, 1.75, 0.1, 1, 1, 1)
    assert draw_curves(steps, [record], tmp_path / "curves.png", "two steps")
    assert cv2.imread(str(tmp_path / "curves.png")).shape[0] > 100


def test_tensorboard_can_read_the_curves(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with Events(tmp_path, 0) as events:
        for step in range(25):
            events.step(step, 0.1, {"loss": 3.0 - step})
        events.epoch(EpochRecord(0, 25, 0.1, 1.5, 0.1, 1, 1, 1, {"mean_iou": 0.5}))
    read = accumulator.EventAccumulator(str(tmp_path))
    read.Reload()
    assert [event.value for event in read.Scalars("train/loss")] == [3.0, -7.0, -17.0]
    assert [event.value for event in read.Scalars("val/mean_iou")] == [0.5]
