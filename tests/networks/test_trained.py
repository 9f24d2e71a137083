"""Weights files: what is written comes back, and whatever else lies there is refused in a line."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rtseg.classes import CAMVID, CITYSCAPES, ClassSet
from rtseg.errors import WeightsError
from rtseg.networks import SegmentationNetwork, build_network, trained
from rtseg.networks.icnet import ICNet
from rtseg.networks.trained import (
    CARD_KEY,
    ModelCard,
    load_state_strict,
    load_trained,
    read_card,
    save_trained,
    shipped_weights,
)

CARD = ModelCard(
    name="icnet-test",
    network="icnet",
    classes=CAMVID,
    input_hw=(360, 480),
    training={"epochs": 3, "data": ["camvid", "demo"], "minutes": 1.5},
    metrics={"test/mean_iou": 0.625, "val/mean_iou": 0.75},
    licence="CC BY-NC 4.0",
)


def fresh_icnet() -> ICNet:
    """Return a network whose normalisation is none that a fresh one has."""
    torch.manual_seed(3)
    network = ICNet(len(CAMVID))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


@pytest.fixture(scope="module")
def network() -> ICNet:
    return fresh_icnet()


@pytest.fixture(scope="module")
def saved(network: ICNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "icnet-test.safetensors"
    save_trained(path, network, CARD)
    return path


def refusal(path: str | Path) -> str:
    """Load, and return the one line that says why not."""
    with pytest.raises(WeightsError) as caught:
        load_trained(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_weights_and_card_come_back(network: ICNet, saved: Path) -> None:
    loaded = load_trained(saved)
    assert loaded.card == CARD
    assert read_card(str(saved)) == CARD
    assert not loaded.network.training
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        before, after = network(images), loaded.network(images)
    assert after.dtype == torch.float32
    assert float((after - before).abs().max()) < 2e-3 * float(before.abs().max())


def test_training_heads_stay_behind(network: ICNet, saved: Path) -> None:
    assert not [key for key in load_file(saved) if key.startswith(("head_sub24", "head_sub4"))]
    assert list(load_trained(saved).network.heads) == ["main"]
    assert set(network.heads) == {"main", "sub24", "sub4"}, "saving has changed the network"


def test_training_heads_come_fresh_where_they_are_asked_for(saved: Path) -> None:
    deployed, to_train = load_trained(saved), load_trained(saved, training_heads=True)
    assert set(to_train.network.heads) == {"main", "sub24", "sub4"}
    assert float(to_train.network.state_dict()["head_sub4.weight"].std()) > 0
    stored, state = deployed.network.state_dict(), to_train.network.state_dict()
    assert set(state) - set(stored) == {
        f"{head}.{part}" for head in ("head_sub4", "head_sub24") for part in ("weight", "bias")
    }
    for key, tensor in stored.items():
        torch.testing.assert_close(state[key], tensor, rtol=0, atol=0)


def test_a_network_without_training_heads_gives_the_same_file(tmp_path: Path, saved: Path) -> None:
    path = tmp_path / "again.safetensors"
    save_trained(path, fresh_icnet().remove_training_heads(), CARD)
    assert path.read_bytes() == saved.read_bytes()


def test_kernels_take_two_bytes_a_weight(network: ICNet, saved: Path) -> None:
    stored = load_file(saved)
    kernels = [tensor for tensor in stored.values() if tensor.ndim > 1]
    assert all(tensor.dtype == torch.float16 for tensor in kernels)
    assert saved.stat().st_size < 2.2 * sum(each.numel() for each in network.parameters())


def test_statistics_beyond_float16_survive(tmp_path: Path) -> None:
    network = fresh_icnet()
    norm = network.stem[0][1]
    norm.running_var[:4] = torch.tensor([3e-9, 1e-12, 4.2e5, 1e9])
    norm.running_mean[:2] = torch.tensor([-7e4, 1.0000001])
    norm.weight.data[0] = 1e-8
    save_trained(tmp_path / "w.safetensors", network, CARD)
    loaded = load_trained(tmp_path / "w.safetensors").network.state_dict()
    for part in ("running_var", "running_mean", "weight", "bias", "num_batches_tracked"):
        key = f"stem.0.1.{part}"
        torch.testing.assert_close(loaded[key], network.state_dict()[key], rtol=0, atol=0)


@pytest.mark.parametrize("scale", [1e6, 1e-9])
def test_kernels_beyond_float16_survive(tmp_path: Path, scale: float) -> None:
    network = fresh_icnet()
    kernel = network.stem[1][0].weight.data.mul_(scale).clone()
    save_trained(tmp_path / "w.safetensors", network, CARD)
    loaded = load_trained(tmp_path / "w.safetensors").network.state_dict()["stem.1.0.weight"]
    torch.testing.assert_close(loaded, kernel, rtol=0, atol=0)


def test_channels_last_and_half_networks_can_be_saved(tmp_path: Path, saved: Path) -> None:
    save_trained(
        tmp_path / "w.safetensors", fresh_icnet().to(memory_format=torch.channels_last), CARD
    )
    assert (tmp_path / "w.safetensors").read_bytes() == saved.read_bytes()
    save_trained(tmp_path / "h.safetensors", fresh_icnet().half(), CARD)
    assert load_trained(tmp_path / "h.safetensors").card == CARD


def test_a_card_may_hold_what_a_training_knows(tmp_path: Path) -> None:
    card = replace(
        CARD,
        training={"output": tmp_path, "lr": np.float32(0.5), "seed": np.int64(3)},
        metrics={"test/mean_iou": 0.5, "test/iou/Fence": float("nan")},
    )
    read = ModelCard.from_json(card.to_json(), "it")
    assert read.training == {"output": str(tmp_path), "lr": 0.5, "seed": 3}
    assert read.metrics == {"test/mean_iou": 0.5}


def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    network = fresh_icnet()
    network.head.bias.data[2] = float("nan")
    with pytest.raises(WeightsError, match=r"not finite: head\.bias"):
        save_trained(tmp_path / "w.safetensors", network, CARD)
    assert not list(tmp_path.iterdir())


def test_a_card_of_another_network_is_not_saved(tmp_path: Path, network: ICNet) -> None:
    with pytest.raises(WeightsError, match="19 classes, the network 11"):
        save_trained(tmp_path / "w.safetensors", network, replace(CARD, classes=CITYSCAPES))
    with pytest.raises(WeightsError, match="'resnet', which is not registered"):
        save_trained(tmp_path / "w.safetensors", network, replace(CARD, network="resnet"))


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, network: ICNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WeightsError, match=r"can't write .*No space left"):
        save_trained(path, network, CARD)
    assert [each.name for each in tmp_path.iterdir()] == ["w.safetensors"]
    assert path.read_bytes() == b"old"


def test_a_folder_that_can_not_be_made_is_a_readable_error(tmp_path: Path, network: ICNet) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match="can't write"):
        save_trained(tmp_path / "file" / "w.safetensors", network, CARD)


@pytest.mark.parametrize("size", [(0, 480), (360, -1), (360, 10**9)])
def test_input_sizes_out_of_range_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(WeightsError, match="input size"):
        replace(CARD, input_hw=size)


def test_a_missing_file_names_the_closest_shipped_weights(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trained, "WEIGHTS_DIR", saved.parent)
    assert shipped_weights() == {"icnet-test": saved}
    assert load_trained("icnet-test").card == CARD
    message = refusal("icnet-tset")
    assert "neither a file nor a shipped name. Did you mean 'icnet-test'?" in message
    assert "Did you mean 'icnet-test'?" in refusal("/nowhere/icnet-tests.safetensors")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert f"the folder {tmp_path} has no best.safetensors" in refusal(tmp_path)


def cut(part: float) -> Callable[[bytes], bytes]:
    return lambda content: content[: int(len(content) * part)]


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b"no safetensors at all, " * 40,
        lambda _: b"\xff" * 64,
        cut(0.0005),
        cut(0.5),
        lambda content: content[:-1],
        lambda content: content + b"more",
        lambda content: content[:8] + b"[" * 3000 + content[3008:],
    ],
    ids=["empty", "text", "huge-header", "cut-header", "cut", "cut-by-1", "longer", "no-json"],
)
def test_a_damaged_file_is_refused(
    tmp_path: Path, saved: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(damage(saved.read_bytes()))
    assert "can't be read as safetensors" in refusal(path)


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    (tmp_path / "w.pt").write_bytes(pickle.dumps(Trap()))
    assert "can't be read as safetensors" in refusal(tmp_path / "w.pt")
    torch.save({"head.weight": torch.zeros(1)}, tmp_path / "w2.pt")
    assert "can't be read as safetensors" in refusal(tmp_path / "w2.pt")
    assert not (tmp_path / "sprung").exists()


def with_card(path: Path, text: str | None, tensors: dict[str, Tensor] | None = None) -> Path:
    save_file(
        tensors or {"a": torch.zeros(1)}, path, {CARD_KEY: text} if text else {"format": "pt"}
    )
    return path


def changed(**values: Any) -> str:
    card = json.loads(CARD.to_json())
    return json.dumps({key: value for key, value in (card | values).items() if value != "drop"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "without rtseg's card"),
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[1]", "is a list; an object is needed"),
        ("{}", "format version is None, this rtseg reads 1"),
        (changed(format_version=2), "format version is 2, this rtseg reads 1"),
        (changed(format_version="1"), "format version is '1'"),
        (changed(name="drop", classes="drop"), "name: field required; classes: field required"),
        (changed(name=7), "name: input should be a valid string"),
        (
            changed(network="icnett"),
            "'icnett', which this rtseg doesn't have. Did you mean 'icnet'?",
        ),
        (changed(input_hw=[360]), "input_hw"),
        (changed(input_hw=[360, 10**7]), "input size is 360x10000000"),
        (changed(input_hw=["360", 480]), "input_hw.0: input should be a valid integer"),
        (changed(metrics={"a": "good"}), "metrics.a: input should be a valid number"),
        (changed(metrics={"\x1b[2J": "x"}), r"\x1b[2J"),
        (changed(normalisation={"mean_rgb": [0, 0, 0], "std_rgb": [1, 0, 1]}), "positive"),
        (changed(classes={"name": "x", "names": [], "colours_rgb": []}), "0 classes"),
        (changed(classes={"name": "x", "names": ["a"], "colours_rgb": [[0, 0, 256]]}), "colour"),
    ],
)
def test_a_bad_card_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    refused = refusal(with_card(tmp_path / "w.safetensors", text))
    assert message in refused
    assert str(tmp_path) in refused
    assert "\x1b" not in refused


def test_another_class_count_is_refused(tmp_path: Path, saved: Path) -> None:
    two = ClassSet("two", ("a", "b"), ((0, 0, 0), (1, 1, 1)))
    text = replace(CARD, classes=two).to_json()
    message = refusal(with_card(tmp_path / "w.safetensors", text, load_file(saved)))
    assert "icnet, 2 classes" in message
    assert "head.weight is float [11, 128, 1, 1], needed float [2, 128, 1, 1]" in message
    assert "head.bias is float [11], needed float [2]" in message


def test_tensors_of_a_type_that_is_none_of_ours_are_refused(tmp_path: Path, saved: Path) -> None:
    state = load_file(saved)
    state["head.bias"] = state["head.bias"].to(torch.complex64)
    message = refusal(with_card(tmp_path / "w.safetensors", CARD.to_json(), state))
    assert "head.bias is complex64 [11], needed float [11]" in message


class Small(SegmentationNetwork):
    def __init__(self) -> None:
        super().__init__(2)
        self.conv, self.norm, self.head = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1)


def test_every_key_that_does_not_fit_is_listed_and_nothing_is_copied() -> None:
    network = Small()
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    state = {key: tensor + 1 for key, tensor in before.items()}
    del state["norm.running_var"], state["head.bias"]
    state["conv.weight"] = torch.zeros(4, 3, 1, 1)
    state["norm.weight"] = torch.zeros(5)
    state["norm.bias"] = torch.tensor([0.0, float("inf"), 0.0, 0.0])
    state["module.extra"] = state["evil\x1b[31m"] = torch.zeros(1)
    with pytest.raises(WeightsError) as caught:
        load_state_strict(network, state, "checkpoint 7")
    assert str(caught.value) == (
        "checkpoint 7 doesn't fit Small. missing: norm.running_var, head.bias; "
        r"unexpected: module.extra, 'evil\x1b[31m'; "
        "wrong: conv.weight is float [4, 3, 1, 1], needed float [4, 3, 3, 3], "
        "norm.weight is float [5], needed float [4]; not finite: norm.bias"
    )
    for key, tensor in network.state_dict().items():
        torch.testing.assert_close(tensor, before[key], rtol=0, atol=0)


def test_a_state_that_fits_is_copied_whatever_its_precision() -> None:
    source, target = Small(), Small()
    half = {
        key: tensor.half() if tensor.is_floating_point() else tensor
        for key, tensor in source.state_dict().items()
    }
    load_state_strict(target, half, "it")
    for key, tensor in target.state_dict().items():
        assert tensor.dtype == source.state_dict()[key].dtype
        torch.testing.assert_close(tensor, half[key].to(tensor.dtype), rtol=0, atol=0)


@pytest.mark.parametrize("name", sorted(shipped_weights()))
def test_shipped_weights_are_whole_and_say_what_they_are(name: str) -> None:
    loaded = load_trained(name)
    card = loaded.card
    assert card.name == name
    assert card.licence
    assert card.training
    assert [key for key in card.metrics if key.endswith("/mean_iou")]
    assert type(loaded.network) is type(build_network(card.network, len(card.classes)))
    assert loaded.network.num_classes == len(card.classes)
