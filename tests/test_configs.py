"""Every configuration that comes with the checkout can be read, and names what there is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from rtseg.cli import main
from rtseg.config import load_config, load_yaml
from rtseg.networks import NETWORKS, build_network, padded_hw
from rtseg.networks.trained import read_card
from rtseg.stream.settings import StreamConfig
from rtseg.stream.sinks import open_sinks
from rtseg.training.datasets import DataSource
from rtseg.training.datasets.sources import load_dataset_config, resolve_config
from rtseg.training.settings import TrainConfig

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
TRAININGS = sorted((CONFIGS / "train").glob("*.yaml"))
STREAMS = sorted((CONFIGS / "stream").glob("*.yaml"))


def sources(config: TrainConfig) -> list[DataSource]:
    extra = [source for part in config.evaluate.values() for source in part]
    return [*config.data.train, *config.data.val, *extra]


@pytest.mark.parametrize("path", TRAININGS, ids=lambda path: path.stem)
def test_a_training_names_a_network_and_splits_that_exist(path: Path) -> None:
    config = load_config(TrainConfig, path)
    assert config.network.name in NETWORKS
    assert config.licence, "weights need a licence"
    for source in sources(config):
        data = resolve_config(source.data, path.parent)
        known = load_dataset_config(data).split_names(data.parent)
        assert set(source.split.split("+")) <= set(known)


@pytest.mark.parametrize("path", TRAININGS, ids=lambda path: path.stem)
def test_a_training_fits_its_network_and_can_be_cut_to_one_epoch(path: Path) -> None:
    config = load_config(TrainConfig, path, ["train.epochs=1"])
    with torch.device("meta"):
        network = build_network(config.network.name, 11)
    for stage in config.all_stages:
        assert stage.epochs == 1
        assert stage.crop_hw is not None
        fitting = padded_hw(stage.crop_hw, network.size_multiple, network.min_size)
        assert fitting == stage.crop_hw


def test_what_a_training_starts_from_is_what_another_one_makes() -> None:
    configs = [load_config(TrainConfig, path) for path in TRAININGS]
    runs = {f"../../runs/{config.name}/final.safetensors": config for config in configs}
    starts = [config for config in configs if config.init is not None]
    assert starts
    for config in starts:
        assert config.init is not None
        if config.init.encoder_only:
            assert read_card(config.init.weights).name == config.init.weights
        else:
            assert runs[config.init.weights].network == config.network


def test_no_training_name_is_used_twice() -> None:
    names = [load_config(TrainConfig, path).name for path in TRAININGS]
    assert len(set(names)) == len(names)


def keys(values: Mapping[str, Any], above: str = "") -> set[str]:
    found = set()
    for key, value in values.items():
        inner = keys(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}"}
        found |= inner
    return found


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_a_stream_is_complete_and_names_what_there_is(path: Path) -> None:
    config = load_config(StreamConfig, path)
    classes = read_card(config.model).classes
    for name in (*config.overlay.classes, *config.overlay.hide):
        classes.id_of(name)
    assert open_sinks(config)
    assert keys(load_yaml(path)) == keys(config.model_dump()), "one file is one complete run"


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_a_stream_prints_itself_and_runs_again(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stream", "--config", str(path), "--print-config"]) == 0
    (tmp_path / "again.yaml").write_text(capsys.readouterr().out)
    assert load_config(StreamConfig, tmp_path / "again.yaml") == load_config(StreamConfig, path)


def test_there_is_a_stream_for_each_use() -> None:
    assert {"dashcam", "webcam", "rtsp", "measure"} <= {path.stem for path in STREAMS}


def test_a_stream_of_the_checkout_runs(tmp_path: Path) -> None:
    settings = ["--set", "engine.size_wh=[96, 64]", "--set", "engine.backend=eager"]
    small = ["--size", "160x96", "--max-frames", "3", "--summary", str(tmp_path / "figures.json")]
    measure = str(CONFIGS / "stream" / "measure.yaml")
    assert main(["stream", "--config", measure, "--quiet", *small, *settings]) == 0
    assert json.loads((tmp_path / "figures.json").read_text())["pictures"] == 3
