"""Binary networks as files: one channel, two classes, a threshold."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from rtseg.classes import ClassSet
from rtseg.errors import WeightsError
from rtseg.networks import build_network
from rtseg.networks.families import lightest_of_each_family
from rtseg.networks.trained import ModelCard, load_trained, save_trained

SALT = ClassSet("salt", ("background", "salt"), ((0, 0, 0), (255, 255, 255)))
CARD = ModelCard("binary", "linknet", SALT, (101, 101), threshold=0.37, padding="reflect")


def test_a_binary_network_survives_a_file(tmp_path: Path) -> None:
    network = build_network("linknet", 1)
    save_trained(tmp_path / "a.safetensors", network, CARD)
    loaded = load_trained(tmp_path / "a.safetensors")
    assert loaded.card == CARD
    assert loaded.network.num_classes == 1
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert loaded.network(images).shape[1] == 1


def test_a_card_from_before_there_were_thresholds_still_loads() -> None:
    old = json.loads(dataclasses.replace(CARD, threshold=None).to_json())
    del old["threshold"], old["padding"]
    card = ModelCard.from_json(json.dumps(old), "an old card")
    assert (card.threshold, card.padding, card.num_outputs) == (None, "mean", 2)


def test_a_network_of_two_channels_needs_a_card_without_threshold(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="has 2 classes, the network 2, where a card with a thr"):
        save_trained(tmp_path / "a.safetensors", build_network("linknet", 2), CARD)
    bare = dataclasses.replace(CARD, threshold=None)
    with pytest.raises(WeightsError, match="has 2 classes, the network 1"):
        save_trained(tmp_path / "a.safetensors", build_network("linknet", 1), bare)


@pytest.mark.parametrize("threshold", [0.0, 1.0, -1.0, float("nan"), float("inf")])
def test_a_threshold_lies_between_0_and_1(threshold: float) -> None:
    with pytest.raises(WeightsError, match="a probability between 0 and 1"):
        dataclasses.replace(CARD, threshold=threshold)


def test_a_threshold_needs_two_classes() -> None:
    three = ClassSet("three", ("a", "b", "c"), ((0, 0, 0), (1, 1, 1), (2, 2, 2)))
    with pytest.raises(WeightsError, match="3 classes of 'three'"):
        dataclasses.replace(CARD, classes=three)


def test_a_padding_nobody_knows_is_refused() -> None:
    values = json.loads(CARD.to_json()) | {"padding": "zero"}
    with pytest.raises(WeightsError, match="padding"):
        ModelCard.from_json(json.dumps(values), "a card")


@pytest.mark.parametrize("name", lightest_of_each_family())
def test_every_network_can_be_binary(name: str) -> None:
    with torch.device("meta"):
        network = build_network(name, 1).eval()
        side = max(network.size_multiple * 2, network.min_size)
        side += -side % network.size_multiple
        assert network(torch.empty(1, 3, side, side)).shape[:2] == (1, 1)
