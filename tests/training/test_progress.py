"""What a person sees: a live display on a terminal, plain lines in a log."""

from __future__ import annotations

import io
import logging

import pytest
from rich.console import Console

from rtseg.training.history import EpochRecord
from rtseg.training.plan import Plan
from rtseg.training.progress import Display
from rtseg.training.settings import StageConfig

PLAN = Plan([StageConfig(epochs=3, crop_hw=(32, 32), batch_size=2)], 8)
RECORD = EpochRecord(0, 4, 1e-3, 0.5, 1.5, 900.0, 30.0, 29.0, {"mean_iou": 0.25})


def _watch(display: Display) -> None:
    with display:
        display.begin(PLAN, 0)
        display.step(PLAN.epochs[0], 1, {"loss": 0.75})
        display.pictures("validating", 1, 2)
        display.epoch(RECORD)


def test_a_terminal_gets_a_live_display() -> None:
    screen = io.StringIO()
    _watch(Display(console=Console(file=screen, force_terminal=True, width=120)))
    for text in ("epoch 1/3", "loss 0.7500", "validating", "val mIoU 25.00 %", "29.0 images/s"):
        assert text in screen.getvalue()


def test_a_log_gets_plain_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    screen = io.StringIO()
    _watch(Display(console=Console(file=screen)))
    assert screen.getvalue() == ""
    first, second = caplog.messages
    assert first == "epoch 1/3, step 1/12: loss 0.7500"
    assert second == (
        "epoch 1/3: loss 0.5000, val mIoU 25.00 %, lr 1.00e-03, 29.0 images/s (input alone 900.0, "
        "step alone 30.0), 1.5 min"
    )


def test_other_processes_say_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    screen = io.StringIO()
    _watch(Display(False, Console(file=screen, force_terminal=True)))
    assert screen.getvalue() == ""
    assert not caplog.messages
