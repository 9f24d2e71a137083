"""The deploy graph of a binary network: thresholded between logits, padded as the card says."""

from __future__ import annotations

import dataclasses
from typing import get_args

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rtseg.backends.base import Parallelism
from rtseg.classes import ClassSet
from rtseg.export.deploy_graph import DeployGraph, FloatPrecision, Labelling
from rtseg.export.eager import eager_engine
from rtseg.export.parity import compare
from rtseg.export.tensorrt_plan import PlanTensor, build_plan
from rtseg.export.tensorrt_toolchain import Toolchain
from rtseg.frames import Frame
from rtseg.networks import SegmentationNetwork, build_network
from rtseg.networks.trained import ModelCard, TrainedNetwork
from rtseg.training.predictor import Predictor

CPU = torch.device("cpu")
ONE = Parallelism(1, 1)
SALT = ClassSet("salt", ("background", "salt"), ((0, 0, 0), (255, 255, 255)))
CARD = ModelCard("binary", "linknet", SALT, (101, 101), threshold=0.3, padding="reflect")


class Slope(SegmentationNetwork):
    """Logits at a quarter of the size, from the brightness around."""

    size_multiple = 32
    min_size = 32

    def __init__(self) -> None:
        super().__init__(1)
        self.conv = nn.Conv2d(3, 1, 9, 4, 4)

    def forward(self, images: Tensor) -> Tensor:
        self.check_size(images)
        return self.conv(images)


@pytest.fixture
def trained() -> TrainedNetwork:
    network = Slope()
    nn.init.constant_(network.conv.weight, 0.02)
    nn.init.constant_(network.conv.bias, -0.5)
    return TrainedNetwork(network.eval(), CARD)


@pytest.fixture
def image() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (7, 7, 3), np.uint8)
    return cv2.resize(coarse, (101, 101), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("padding", ["mean", "reflect"])
@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.5, 0.8])
def test_labels_are_those_of_evaluation(
    trained: TrainedNetwork, image: np.ndarray, threshold: float, padding: str
) -> None:
    card = dataclasses.replace(CARD, threshold=threshold, padding=padding)
    trained = dataclasses.replace(trained, card=card)
    predictor = Predictor(
        trained.network, card.normalisation, CPU, threshold=threshold, padding=card.padding
    )
    labels = eager_engine(trained, (101, 101), "fp32", parallelism=ONE).infer(image[None])
    assert labels.dtype == np.uint8
    assert set(np.unique(labels)) == {0, 1}
    np.testing.assert_array_equal(labels, predictor.labels([image]))
    found = predictor.logits([image])[0, 0].sigmoid().numpy() > threshold
    assert np.mean(labels[0] == found) > 0.999


def test_padding_changes_what_the_border_sees(trained: TrainedNetwork, image: np.ndarray) -> None:
    pictures = torch.from_numpy(image[None])
    other = dataclasses.replace(trained, card=dataclasses.replace(CARD, padding="mean"))
    mirrored, grey = (DeployGraph(each, (101, 101)).logits(pictures) for each in (trained, other))
    torch.testing.assert_close(mirrored[..., :90, :90], grey[..., :90, :90])
    assert (mirrored[..., 96:, :] - grey[..., 96:, :]).abs().max() > 0.1


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_larger_score_is_the_label(
    trained: TrainedNetwork, image: np.ndarray, precision: FloatPrecision
) -> None:
    graphs = {
        output: DeployGraph(trained, (101, 101), precision, output)
        for output in ("labels", "scores")
    }
    pictures = torch.from_numpy(image[None])
    labels, scores = (graphs[output](pictures) for output in ("labels", "scores"))
    assert labels.dtype is torch.int8
    assert scores.dtype is torch.float32
    assert scores.shape == (1, 2, 101, 101)
    torch.testing.assert_close(scores.sum(1), torch.ones(1, 101, 101))
    assert torch.equal(scores.argmax(1).to(torch.int8), labels)


def test_scores_are_probabilities_at_an_even_threshold(
    trained: TrainedNetwork, image: np.ndarray
) -> None:
    even = dataclasses.replace(trained, card=dataclasses.replace(CARD, threshold=0.5))
    graph = DeployGraph(even, (101, 101), output="scores")
    pictures = torch.from_numpy(image[None])
    torch.testing.assert_close(graph(pictures)[:, 1:], graph.logits(pictures).sigmoid())


def test_both_ways_of_labelling_and_the_program_agree(
    trained: TrainedNetwork, image: np.ndarray
) -> None:
    pictures = torch.from_numpy(image[None])
    graphs = [DeployGraph(trained, (101, 101), labelling=way) for way in get_args(Labelling)]
    assert torch.equal(graphs[0](pictures), graphs[1](pictures))
    assert torch.equal(graphs[0].exported().module()(pictures), graphs[0](pictures))


def test_parity_counts_two_classes(trained: TrainedNetwork, image: np.ndarray) -> None:
    frames = [Frame(image, index, index / 10, 0, "pictures") for index in range(2)]
    exact = eager_engine(trained, (101, 101), "fp32", parallelism=ONE)
    scores = eager_engine(trained, (101, 101), "fp32", "scores", parallelism=ONE)
    comparison = compare(scores, exact, frames)
    assert comparison.pixel_agreement == 1
    assert set(comparison.agreement_by_class()) == {"background", "salt"}


@pytest.mark.parametrize("output", ["labels", "scores"])
def test_it_becomes_one_plan(toolchain: Toolchain, output: str) -> None:
    network = build_network("linknet", 1).eval()
    graph = DeployGraph(TrainedNetwork(network, CARD), (101, 101), "fp16", output)
    said: list[str] = []
    built = build_plan(toolchain, graph.exported(), graph.example(), {}, said.append)
    assert built.network.inputs == (PlanTensor("images_bgr", "UINT8", (1, 101, 101, 3)),)
    dtype, shape = ("INT8", (1, 101, 101)) if output == "labels" else ("FLOAT", (1, 2, 101, 101))
    assert built.network.outputs == (PlanTensor("output0", dtype, shape),)
    assert set(built.network.convolutions) == {"HALF"}
