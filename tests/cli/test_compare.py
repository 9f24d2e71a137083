"""`rtseg compare`: real processes on a small data set, resumed, with one network that fails."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from rtseg.cli import main
from rtseg.cli._compare.chart import write_chart
from rtseg.cli._compare.contest import Contest
from rtseg.cli._compare.labels import Box, place
from rtseg.cli._compare.report import comparison_of, markdown
from rtseg.cli._compare.result import (
    Comparison,
    Conditions,
    NetworkResult,
    Score,
    Timing,
    Trained,
)
from rtseg.cli.compare import chosen_networks
from rtseg.errors import ConfigError, UnknownNameError
from rtseg.networks import NETWORKS
from rtseg.networks.families import lightest_of_each_family
from rtseg.training.comparison import ComparisonConfig, LatencyConfig

TINY = Path(__file__).resolve().parents[1] / "training" / "train_tiny.py"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data set of two classes, left and right, as a YAML file."""
    for split in ("train", "val"):
        for kind in ("images", "masks"):
            (tmp_path / split / kind).mkdir(parents=True)
        for index in range(4):
            labels = np.zeros((48, 64), np.uint8)
            labels[:, 20 + 8 * index :] = 1
            image = np.repeat(labels[:, :, None] * 150 + 40, 3, 2)
            cv2.imwrite(str(tmp_path / split / "images" / f"{index}.png"), image)
            cv2.imwrite(str(tmp_path / split / "masks" / f"{index}.png"), labels)
    values = {
        "layout": "folder",
        "root": str(tmp_path),
        "pictures": "{split}/images/{name}.png",
        "masks": {"path": "{split}/masks/{name}.png", "values": "train_ids"},
        "splits": {"train": {}, "val": {}},
        "class_set": "sides",
        "classes": [{"name": "left", "colour": [9, 0, 0]}, {"name": "right", "colour": [0, 9, 0]}],
    }
    path = tmp_path / "sides.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture
def tiny_names() -> Iterator[None]:
    """The names of the networks that the workers have, in this process, too."""
    from runpy import run_path

    names = run_path(str(TINY))["register"]()
    yield
    for name in names:
        del NETWORKS._items[name]


def conditions(data: Path, budget: str = "7it") -> Conditions:
    latency = LatencyConfig(input_hw=(30, 40), passes=2, repetitions=1)
    recipe = ComparisonConfig(
        crop_hw=(32, 40), batch_size=2, precision="fp32", latency=latency, hold_out=["3"]
    )
    return Conditions(data=data, budget=budget, device="cpu", recipe=recipe)


@pytest.mark.usefixtures("tiny_names")
def test_one_fails_the_rest_goes_on_and_nothing_is_done_twice(data: Path, tmp_path: Path) -> None:
    said: list[str] = []
    command = (sys.executable, str(TINY), "compare", "--worker")
    folder = tmp_path / "out"
    names = ["tiny-that-breaks", "tiny"]
    contest = Contest(conditions(data), names, folder, command, tell=said.append)
    contest.prepare()
    contest.train()
    contest.time()
    broken, tiny = contest.results()
    assert "not trained: the loss of step 6 is not a number" in broken.problem
    assert broken.trained is None
    assert broken.parameters > 0
    assert tiny.trained is not None
    assert tiny.trained.steps == 7
    assert set(tiny.trained.scores) == {"val", "held-out"}
    (timing,) = tiny.timings
    assert (timing.input_hw, len(timing.wall_ms)) == ((32, 40), 2)
    assert (folder / "networks" / "tiny.safetensors").is_file()
    again = Contest(conditions(data), ["tiny"], folder, ("false",), tell=said.append)
    again.prepare()
    again.train()
    again.time()
    assert again.result("tiny") == tiny
    assert said.count("1/1 tiny: is trained") == 1
    with pytest.raises(ConfigError, match=r"budget: '7it' there, '8it' now"):
        Contest(conditions(data, "8it"), names, folder, command).prepare()


def made_up(name: str, mean_iou: float, latency_ms: float, parameters: int) -> NetworkResult:
    score = Score(pictures=3, mean_iou=mean_iou, pixel_accuracy=0.5, class_iou={})
    trained = Trained(
        steps=9, pictures=36, wall_s=1, cpu_s=1, loss=1, crop_hw=(32, 40), peak_mib=9,
        hardware="a machine", precision="fp32", scores={"val": score, "held-out": score},
    )  # fmt: skip
    timings = tuple(
        Timing(
            input_hw=(32, 40), hardware="a machine", precision="fp32",
            wall_ms=(factor * latency_ms,) * 2, cpu_ms=(latency_ms,),
        )
        for factor in (0.9, 1.0, 1.3)
    )  # fmt: skip
    return NetworkResult(
        name=name, title=name, family=name, parameters=parameters, gmacs=1.5, count_hw=(32, 40),
        trained=trained, timings=timings,
    )  # fmt: skip


def comparison(data: Path) -> Comparison:
    failed = NetworkResult(
        name="lost", title="", family="", parameters=7, gmacs=0, count_hw=(1, 1), problem="too big"
    )
    results = [failed, made_up("b", 0.25, 200, 10**6), made_up("a", 0.5, 40, 10**8)]
    return comparison_of(conditions(data), results)


def test_the_table_ranks_and_says_under_which_conditions(data: Path) -> None:
    page = markdown(comparison(data))
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| a", "| b", "| lost"]
    assert "| a | 100.00 | 1.50 | 9 | 50.0 | 50.0 | 50.0 | 40.0 (36.0-52.0) |" in page
    assert "7 steps" in page
    assert "held-out 3 pictures (held-out: 3, from train)" in page
    assert "- lost: too big" in page


def test_the_chart_is_a_picture_of_what_is_measured(data: Path, tmp_path: Path) -> None:
    assert write_chart(comparison(data), tmp_path / "chart.png")
    image = cv2.imread(str(tmp_path / "chart.png"))
    assert image is not None
    assert image.shape == (845, 1300, 3)
    assert image.std() > 10
    empty = comparison(data).model_copy(update={"networks": ()})
    assert not write_chart(empty, tmp_path / "none.png")


def test_names_hide_neither_bubbles_nor_each_other() -> None:
    rng = np.random.default_rng(0)
    discs = [Box(x, y, x + 14, y + 14) for x, y in rng.uniform(60, 700, (30, 2))]
    boxes = place(discs, [(70.0, 12.0)] * 30, Box(0, 0, 800, 800))
    for index, box in enumerate(boxes):
        assert Box(0, 0, 800, 800).holds(box)
        others = [*discs, *boxes[:index]]
        assert sum(box.overlap(other) for other in others) == 0


def test_words_stand_for_networks() -> None:
    assert chosen_networks(["lightest"]) == lightest_of_each_family()
    assert chosen_networks(["all"]) == list(NETWORKS)
    assert chosen_networks(["linknet", "icnet*", "linknet"]) == ["linknet", "icnet", "icnet-full"]
    with pytest.raises(ConfigError, match="no network fits the pattern 'x\\*'"):
        chosen_networks(["x*"])
    with pytest.raises(UnknownNameError, match="Did you mean 'linknet'"):
        chosen_networks(["linket"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "needs data and a budget"),
        (["--data", "DATA", "--budget", "5"], "the budget is '5'"),
        (["--data", "DATA", "--budget", "5it", "--set", "optim.lr=fast"], "optim.lr is 'fast'"),
        (["--data", "DATA", "--budget", "5it", "--networks", "linket"], "unknown network"),
        (["--data", "nowhere.yaml", "--budget", "5it"], "no such data set file"),
        (["--data", "DATA", "--budget", "5it", "--config", "no.yaml"], "no such configuration"),
    ],
)
def test_bad_input_ends_in_one_line(
    arguments: list[str], message: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(data) if word == "DATA" else word for word in arguments]
    assert main(["compare", *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error


@pytest.mark.slow
def test_the_command_compares_two_real_networks(data: Path, tmp_path: Path) -> None:
    sizes = ["--crop", "64x64", "--batch-size", "2", "--eval-every", "2", "--latency-size", "64x64"]
    words = ["--data", str(data), "--budget", "2it", *sizes, "--output", str(tmp_path / "out")]
    names = ["--networks", "icnet", "deeplabv3-mobilenet-v2", "--device", "cpu"]
    assert main(["compare", *words, *names]) == 0
    found = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert {each["name"] for each in found["networks"]} == {"icnet", "deeplabv3-mobilenet-v2"}
    assert all(each["trained"]["steps"] == 2 for each in found["networks"])
    assert (tmp_path / "out" / "comparison.png").is_file()
    assert "| icnet |" in (tmp_path / "out" / "comparison.md").read_text()
