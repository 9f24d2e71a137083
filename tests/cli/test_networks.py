"""``rtseg networks``: one line per network, figures from cards alone, cards in full."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from rtseg.classes import CAMVID
from rtseg.cli import main
from rtseg.networks import NETWORKS, SegmentationNetwork, build_network, trained
from rtseg.networks.trained import ModelCard, save_trained

CARD = ModelCard(
    name="icnet-camvid",
    network="icnet",
    classes=CAMVID,
    input_hw=(360, 480),
    training={"epochs": 3, "data": ["camvid train", "demo"], "recipe": {"train": {"lr": 0.01}}},
    metrics={"test/mean_iou": 0.625, "val/mean_iou": 0.75, "test/iou/Fence": 0.125},
    licence="CC BY-NC 4.0",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    save_trained(folder / "icnet-camvid.safetensors", build_network("icnet", 11), CARD)
    return folder


@pytest.fixture
def shipped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(trained, "WEIGHTS_DIR", folder)
    return folder


def rows(text: str) -> dict[str, list[str]]:
    return {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}


@pytest.mark.usefixtures("shipped")
def test_every_network_stands_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["networks"]) == 0
    text = capsys.readouterr().out
    lines = rows(text)
    for name, entry in NETWORKS.items():
        assert lines[name][1:3] == [f"{entry.card.parameters / 1e6:.2f}", f"{entry.card.gmacs:.2f}"]
    assert "…" not in text
    assert "1 MAC = 2 FLOPs" in text
    assert "1024x2048" in text


@pytest.mark.usefixtures("shipped")
def test_weights_at_hand_are_shown_with_their_accuracy(capsys: pytest.CaptureFixture[str]) -> None:
    main(["networks"])
    lines = rows(capsys.readouterr().out)
    assert " ".join(lines["icnet"]).endswith("icnet-camvid: test 62.5, val 75.0")
    assert "icnet-camvid:" not in lines["icnet-full"]


@pytest.mark.usefixtures("shipped")
def test_nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any) -> None:
        raise AssertionError("a network was built")

    monkeypatch.setattr(SegmentationNetwork, "__init__", forbidden)
    start = time.monotonic()
    assert main(["networks"]) == 0
    assert main(["networks", "icnet"]) == 0
    assert main(["networks", "--json"]) == 0
    assert time.monotonic() - start < 2


@pytest.mark.usefixtures("shipped")
def test_json_holds_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["networks", "--json"]) == 0
    listed = {each["name"]: each for each in json.loads(capsys.readouterr().out)["networks"]}
    assert list(listed) == list(NETWORKS)
    for name, entry in NETWORKS.items():
        with torch.device("meta"):
            network = entry.build(2)
        assert listed[name]["parameters"] == entry.card.parameters
        assert listed[name]["gmacs"] == entry.card.gmacs
        assert listed[name]["size_multiple"] == network.size_multiple
        smallest = listed[name]["min_size"]
        network.check_size(torch.empty(1, 3, smallest, smallest, device="meta"))
    assert listed["icnet"]["weights"] == [json.loads(CARD.to_json())]
    assert not listed["icnet-full"]["weights"]


def test_one_network_prints_its_card_and_its_weights(
    shipped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["networks", "icnet"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "6,699,987" in text
    assert "https://arxiv.org/abs/1704.08545" in text
    assert "CC BY-NC 4.0" in text
    assert 'training: data ["camvid train", "demo"]' in text
    assert "training: recipe.train.lr 0.01" in text
    assert "metric: test/iou/Fence 0.1250" in text
    assert main(["networks", "icnet", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["weights"][0]["name"] == "icnet-camvid"


@pytest.mark.usefixtures("shipped")
def test_a_network_without_weights_says_how_to_get_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["networks", "linknet"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "multiples of 32" in text
    assert "none shipped; train it with 'rtseg train'" in text


def test_weights_are_shown_by_name_and_by_path(
    shipped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("icnet-camvid", str(shipped / "icnet-camvid.safetensors")):
        assert main(["networks", name]) == 0
        text = capsys.readouterr().out
        assert "360x480" in text
        assert "11 of camvid: Sky" in text
        assert main(["networks", name, "--json"]) == 0
        assert ModelCard.from_json(capsys.readouterr().out, "it") == CARD


@pytest.mark.usefixtures("shipped")
def test_unknown_names_end_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["networks", "icnet-camvld"]) == 2
    captured = capsys.readouterr()
    assert "Did you mean 'icnet-camvid'?" in captured.err
    assert captured.err.count("\n") == 1
    assert not captured.out
    assert main(["networks", "./nowhere.safetensors"]) == 2
    assert "no weights './nowhere.safetensors'" in capsys.readouterr().err


def test_damaged_shipped_weights_do_not_hide_the_others(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = (folder / "icnet-camvid.safetensors").read_bytes()
    (tmp_path / "icnet-camvid.safetensors").write_bytes(whole)
    (tmp_path / "icnet-demo.safetensors").write_bytes(whole[: len(whole) // 2])
    monkeypatch.setattr(trained, "WEIGHTS_DIR", tmp_path)
    assert main(["networks"]) == 0
    captured = capsys.readouterr()
    assert "icnet-camvid: test 62.5" in captured.out
    assert captured.err.startswith("rtseg: left out: ")
    assert "icnet-demo.safetensors can't be read" in captured.err


def test_a_card_can_not_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = replace(CARD, licence="\x1b[2J free \x07", training={"[red]x": "[/red]"})
    save_trained(tmp_path / "w.safetensors", build_network("icnet", 11), card)
    assert main(["networks", str(tmp_path / "w.safetensors")]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "free" in text
    assert "training: [red]x" in text
