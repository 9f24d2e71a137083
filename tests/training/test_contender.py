"""One network of a comparison, trained on a tiny data set."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtseg.config import validate
from rtseg.errors import TrainingError
from rtseg.networks.trained import load_trained
from rtseg.training.budget import Budget
from rtseg.training.comparison import HELD_OUT, ComparisonConfig
from rtseg.training.contender import Contender, compete

pytestmark = pytest.mark.usefixtures("tiny_networks", "one_thread")


def recipe(**values: object) -> ComparisonConfig:
    usual = {"crop_hw": [30, 38], "batch_size": 4, "precision": "fp32", "optim": {"lr": 0.01}}
    return validate(ComparisonConfig, {**usual, **values}, "test")


def competed(data: Path, budget: str, network: str = "tiny", **values: object) -> Contender:
    return compete(recipe(**values), network, data, Budget.parse(budget), device="cpu")


def test_it_learns_within_its_steps(tiny_config: Path) -> None:
    data = tiny_config.with_name("data.yaml")
    short, long = competed(data, "1it"), competed(data, "40it")
    assert (short.steps, long.steps, long.pictures) == (1, 40, 160)
    assert long.crop_hw == (32, 40), "rounded up to what the network takes"
    assert long.loss < short.loss
    assert long.scores["val"].metrics()["mean_iou"] > short.scores["val"].metrics()["mean_iou"]
    assert len(long.scores["val"].pictures) == 3


def test_the_same_seed_gives_the_same_network(tiny_config: Path) -> None:
    data = tiny_config.with_name("data.yaml")
    first, second = competed(data, "5it"), competed(data, "5it")
    assert first.loss == second.loss
    assert (first.scores["val"].confusion == second.scores["val"].confusion).all()


def test_what_is_held_out_is_scored_and_not_learned_from(tiny_config: Path) -> None:
    data = tiny_config.with_name("data.yaml")
    result = competed(data, "2it", hold_out=["0[0-3]"], scoring={"every": 2})
    names = [picture.name for picture in result.scores[HELD_OUT].pictures]
    assert names == ["00", "02"]
    config = recipe(hold_out=["0[0-3]"]).train_config("tiny", data)
    assert config.data.train[0].exclude == ["0[0-3]"]


@pytest.mark.parametrize("unit", ["min", "cpumin"])
def test_a_budget_of_time_ends_soon_after_it(tiny_config: Path, unit: str) -> None:
    result = competed(tiny_config.with_name("data.yaml"), f"0.005{unit}")
    spent_s = result.wall_s if unit == "min" else result.cpu_s
    assert result.steps >= 1
    assert spent_s >= 0.3


def test_the_weights_say_what_they_are(tiny_config: Path, tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    data = tiny_config.with_name("data.yaml")
    compete(recipe(), "tiny", data, Budget.parse("4it"), weights=path, device="cpu")
    card = load_trained(path).card
    assert card.name == "tiny-data-compared"
    assert card.training["budget"] == "4 steps"
    assert (card.training["steps"], card.training["epochs"]) == (4, 2)
    assert 0 <= card.metrics["val/mean_iou"] <= 1


def test_a_loss_that_is_no_number_ends_it(tiny_config: Path) -> None:
    with pytest.raises(TrainingError, match="the loss of step 6 is not a number"):
        competed(tiny_config.with_name("data.yaml"), "9it", "tiny-that-breaks")
