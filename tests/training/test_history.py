"""The log of steps: exact numbers, one step late, cut back where a training goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rtseg.errors import TrainingError
from rtseg.training.history import StepLog, read_steps


def _values(loss: float) -> dict[str, torch.Tensor]:
    return {"loss": torch.tensor(loss), "grad_norm": torch.tensor(1.0)}


def _write(folder: Path, first_step: int, losses: list[float]) -> list[float]:
    known: list[float] = []
    with StepLog(folder / "steps.csv", first_step, known, folder / "last.pt") as log:
        for step, loss in enumerate(losses, start=first_step):
            log.add(step, 0, 0.1, _values(loss))
        log.flush()
    return known


def test_numbers_are_kept_exactly(tmp_path: Path) -> None:
    exact = [torch.tensor(1 / 3).item(), 0.1, 2.5e-30]
    known = _write(tmp_path, 0, exact)
    assert read_steps(tmp_path / "steps.csv")["loss"] == known
    assert known == [torch.tensor(value).item() for value in exact]


def test_going_on_removes_later_and_torn_lines(tmp_path: Path) -> None:
    _write(tmp_path, 0, [5.0, 4.0, 3.0, 2.0])
    path = tmp_path / "steps.csv"
    path.write_text(path.read_text() + "4,0,0.1,1.")
    _write(tmp_path, 2, [3.5, 2.5])
    columns = read_steps(path)
    assert columns["step"] == [0, 1, 2, 3]
    assert columns["loss"] == [5.0, 4.0, 3.5, 2.5]


def test_beginning_again_starts_an_empty_log(tmp_path: Path) -> None:
    _write(tmp_path, 0, [5.0, 4.0])
    _write(tmp_path, 0, [1.0])
    assert read_steps(tmp_path / "steps.csv")["loss"] == [1.0]


def test_a_log_without_steps_has_no_columns(tmp_path: Path) -> None:
    _write(tmp_path, 0, [])
    assert read_steps(tmp_path / "steps.csv") == {}


@pytest.mark.parametrize("name", ["loss", "grad_norm"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_reported(tmp_path: Path, name: str, value: float) -> None:
    with StepLog(None, 0, [], tmp_path / "last.pt") as log:
        log.add(7, 2, 0.05, _values(1.0) | {name: torch.tensor(value)})
        with pytest.raises(TrainingError) as error:
            log.flush()
    for text in ("step 7", "epoch 3", "learning rate 0.05", f"{name} {value:g}", "no checkpoint"):
        assert text in str(error.value)
