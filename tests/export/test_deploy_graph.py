"""The deploy graph says what the trained network says."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
import torch

from rtseg.backends.base import Parallelism
from rtseg.errors import EngineError, InputSizeError
from rtseg.export.deploy_graph import DeployGraph, FloatPrecision, Labelling
from rtseg.export.eager import eager_engine
from rtseg.frames import Image
from rtseg.networks.batch_norm import foldable_pairs
from rtseg.networks.trained import TrainedNetwork, load_trained, shipped_weights
from rtseg.training.predictor import Predictor

CPU = torch.device("cpu")
ONE = Parallelism(1, 1)
SIZES = [(128, 160), (100, 150), (129, 193)]
"""The last two need padding in most families."""


@pytest.fixture(scope="module", params=list(shipped_weights()))
def trained(request: pytest.FixtureRequest) -> TrainedNetwork:
    return load_trained(request.param)


@pytest.fixture(scope="module")
def linknet() -> TrainedNetwork:
    return load_trained("linknet-camvid")


@pytest.fixture(scope="module")
def streets(shared_data: Path) -> list[Image]:
    paths = sorted((shared_data / "camvid" / "val").glob("*.png"))[::40]
    images = [cv2.imread(str(path), cv2.IMREAD_COLOR) for path in paths]
    return [image for image in images if image is not None]


def scaled(images: Sequence[Image], hw: tuple[int, int]) -> list[Image]:
    return [
        np.asarray(cv2.resize(image, hw[::-1], interpolation=cv2.INTER_AREA), np.uint8)
        for image in images
    ]


def disagreeing_margin(trained: TrainedNetwork, image: Image, labels: np.ndarray) -> float:
    """Return the largest lead of a class over the one that `labels` names instead, in logits."""
    hw = image.shape[:2]
    logits = DeployGraph(trained, hw).logits(torch.from_numpy(image[None]))[0].float()
    best = logits.amax(0)
    named = logits.gather(0, torch.from_numpy(labels).long()[None])[0]
    return float((best - named).max())


@pytest.mark.parametrize("hw", SIZES)
def test_labels_are_those_of_evaluation(
    trained: TrainedNetwork, streets: list[Image], hw: tuple[int, int]
) -> None:
    reference = Predictor(trained.network, trained.card.normalisation, CPU)
    engine = eager_engine(trained, hw, "fp32", parallelism=ONE)
    for image in scaled(streets[:2], hw):
        expected = reference.labels([image])
        labels = engine.infer(image[None])
        assert labels.dtype == np.uint8
        assert labels.shape == (1, *hw)
        assert len(np.unique(labels)) > 3
        # Folding batch normalisation moves the last bit, so a tie may fall to the other side.
        assert np.mean(labels == expected) > 0.9999
        assert disagreeing_margin(trained, image, expected[0]) < 1e-3


def test_labels_at_the_native_size(trained: TrainedNetwork, streets: list[Image]) -> None:
    hw = trained.card.input_hw
    image = scaled(streets[:1], hw)[0]
    expected = Predictor(trained.network, trained.card.normalisation, CPU).labels([image])
    labels = eager_engine(trained, hw, "fp32", parallelism=ONE).infer(image[None])
    assert np.mean(labels == expected) > 0.9999


def test_the_network_is_left_as_it_is(linknet: TrainedNetwork) -> None:
    before = {key: value.clone() for key, value in linknet.network.state_dict().items()}
    DeployGraph(linknet, (64, 64), "bf16")
    after = linknet.network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert next(linknet.network.parameters()).dtype is torch.float32


def test_batch_norm_and_training_heads_are_gone(trained: TrainedNetwork) -> None:
    network = DeployGraph(trained, (128, 160)).network
    assert foldable_pairs(trained.network)
    assert foldable_pairs(network) == []
    assert not [name for name in trained.network.training_modules if hasattr(network, name)]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_scores_are_probabilities_whose_largest_is_the_label(
    linknet: TrainedNetwork, streets: list[Image], precision: str
) -> None:
    hw = (100, 150)
    image = scaled(streets[:1], hw)[0][None]
    labels = eager_engine(linknet, hw, precision, parallelism=ONE).infer(image)
    scores = eager_engine(linknet, hw, precision, "scores", parallelism=ONE).infer(image)
    assert scores.dtype == np.float32
    assert scores.shape == (1, len(linknet.card.classes), *hw)
    np.testing.assert_allclose(scores.sum(1), 1, atol=1e-5)
    assert np.mean(scores.argmax(1) == labels) > 0.9999


def test_pictures_of_a_batch_do_not_mix(linknet: TrainedNetwork, streets: list[Image]) -> None:
    hw = (64, 96)
    pair = np.stack(scaled(streets[:2], hw))
    together = eager_engine(linknet, hw, "fp32", batch=2, parallelism=ONE).infer(pair)
    engine = eager_engine(linknet, hw, "fp32", parallelism=ONE)
    alone = np.concatenate([engine.infer(image[None]) for image in pair])
    assert np.mean(together == alone) > 0.9999


def test_bf16_agrees(linknet: TrainedNetwork, streets: list[Image]) -> None:
    hw = (192, 256)
    exact, half = (eager_engine(linknet, hw, p, parallelism=ONE) for p in ("fp32", "bf16"))
    images = scaled(streets, hw)
    agreement = np.mean([half.infer(i[None]) == exact.infer(i[None]) for i in images])
    assert agreement > 0.995


def test_the_exported_program_says_the_same(trained: TrainedNetwork, streets: list[Image]) -> None:
    hw = (100, 150)
    graph = DeployGraph(trained, hw)
    program = graph.exported()
    images = torch.from_numpy(scaled(streets[:1], hw)[0][None])
    labels = program.module()(images)
    assert labels.dtype is torch.int8
    assert torch.equal(labels, graph(images))
    pixels = next(node for node in program.graph.nodes if node.name == "images_bgr")
    takers = {str(user.target) for user in pixels.users}
    assert takers <= {"aten.to.dtype", "aten._assert_tensor_metadata.default"}, "cast first"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_both_ways_of_labelling_agree_even_on_ties(
    linknet: TrainedNetwork, streets: list[Image], precision: FloatPrecision
) -> None:
    hw = (100, 150)
    images = torch.from_numpy(scaled(streets[:1], hw)[0][None])
    graphs = [DeployGraph(linknet, hw, precision, "labels", way) for way in get_args(Labelling)]
    assert graphs[0](images).dtype is graphs[1](images).dtype is torch.int8
    assert torch.equal(graphs[0](images), graphs[1](images))
    for graph in graphs:  # equal logits everywhere: the first class wins
        torch.nn.init.zeros_(graph.network.classifier.weight)
        torch.nn.init.ones_(graph.network.classifier.bias)
        assert not graph(images).any()


def test_a_graph_knows_whether_it_resizes(trained: TrainedNetwork) -> None:
    assert DeployGraph(trained, (100, 150)).resizes() == (trained.card.network != "linknet")


@pytest.mark.parametrize("hw", [(0, 64), (64, 20_000)])
def test_absurd_sizes_are_refused(linknet: TrainedNetwork, hw: tuple[int, int]) -> None:
    with pytest.raises(InputSizeError, match="1 to 16384 pixels"):
        DeployGraph(linknet, hw)


def test_more_classes_than_int8_holds_are_refused(linknet: TrainedNetwork) -> None:
    network = type(linknet.network)(129)
    with pytest.raises(EngineError, match="129 classes; engines hold up to 128"):
        DeployGraph(dataclasses.replace(linknet, network=network), (64, 64))
