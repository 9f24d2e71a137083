"""Starting a training from the encoder of another network's weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rtseg.classes import CAMVID, CITYSCAPES
from rtseg.config import validate
from rtseg.errors import ConfigError
from rtseg.networks.trained import load_trained
from rtseg.training.initial import initial_network
from rtseg.training.settings import TrainConfig


def config(network: str, weights: str) -> TrainConfig:
    source = [{"data": "unused.yaml", "split": "train"}]
    values = {
        "name": "test",
        "network": {"name": network},
        "init": {"weights": weights, "encoder_only": True},
        "data": {"train": source, "val": source},
        "crop_hw": [96, 128],
    }
    return validate(TrainConfig, values, "test")


@pytest.mark.parametrize("classes", [CAMVID, CITYSCAPES])
def test_the_encoder_is_taken_and_the_rest_is_drawn(classes: object, tmp_path: Path) -> None:
    settings = config("deep-watershed", "linknet-camvid")
    start = initial_network(settings, classes, tmp_path)  # type: ignore[arg-type]
    trained = load_trained("linknet-camvid")
    theirs, mine = trained.network.state_dict(), start.network.state_dict()
    keys = [key for key in mine if key.startswith("encoder.")]
    assert len(keys) > 100
    assert all(torch.equal(mine[key], theirs[key]) for key in keys)
    assert start.normalisation == trained.card.normalisation
    names = {name for name, _ in start.network.named_parameters()}
    assert start.fresh == {name for name in names if not name.startswith("encoder.")}
    assert "encoder of linknet-camvid" in start.origin


@pytest.mark.parametrize(
    ("network", "weights"),
    [("ternausnet-v2", "linknet-camvid"), ("deep-watershed", "ddrnet-23-slim-camvid")],
)
def test_another_encoder_is_refused(network: str, weights: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"whose encoder is not that of '{network}'"):
        initial_network(config(network, weights), CAMVID, tmp_path)
