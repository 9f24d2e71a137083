"""Objects on their way from a data set into a training step, and out again into AP and PQ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rtseg.classes import CAMVID
from rtseg.config import validate
from rtseg.errors import ConfigError, DataError
from rtseg.instances.instance_map import InstanceMap
from rtseg.networks import MAIN, SegmentationNetwork, TrainingHead
from rtseg.networks.normalisation import Normalisation
from rtseg.training.augment import AugmentConfig, Augmenter
from rtseg.training.criterion import Criterion, CriterionConfig
from rtseg.training.datasets import DemoConfig, Sample, SegmentationDataset
from rtseg.training.datasets.selection import Selection
from rtseg.training.evaluate_instances import evaluate_instances
from rtseg.training.instance_predictor import InstancePredictor, method_of
from rtseg.training.memory import PictureStore
from rtseg.training.object_targets import ObjectTargets
from rtseg.training.predictor import Predictor

CAR, ROAD = CAMVID.id_of("Car"), CAMVID.id_of("Road")
HW = (48, 80)
CPU = torch.device("cpu")
RAW = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


class Strips(SegmentationDataset):
    """A car beside another one, touching; each pixel's colour says what is there.

    Blue is 255 on cars, green within 1 px of the line between them, red 100 everywhere.
    """

    def __init__(self, has_instances: bool = True) -> None:
        super().__init__(CAMVID, ["one", "two"])
        self.has_instances = has_instances

    def __getitem__(self, index: int) -> Sample:
        labels = np.full(HW, ROAD, np.uint8)
        labels[10:40, 8:72] = CAR
        ids = np.where(labels == CAR, 300, 0).astype(np.uint16)
        middle = 34 + 6 * index
        ids[10:40, middle:72] = 7
        image = np.full((*HW, 3), 100, np.uint8)
        image[..., 0] = np.where(labels == CAR, 255, 0)
        image[..., 1] = 0
        image[10:40, middle - 1 : middle + 1, 1] = 255
        return Sample(image, labels, self.names[index], ids if self.has_instances else None)


class Seer(SegmentationNetwork):
    """Reads classes, energy and borders off the colours of `Strips`."""

    def __init__(self, *targets: str) -> None:
        super().__init__(len(CAMVID))
        self.gain = nn.Parameter(torch.ones(()))
        self.heads = {MAIN: TrainingHead(1.0)} | {
            target: TrainingHead(1.0, target=target)  # type: ignore[arg-type]
            for target in targets
        }

    def forward(self, images: Tensor) -> Tensor:
        _, _, blue = images.unbind(1)
        logits = torch.zeros(len(images), len(CAMVID), *images.shape[-2:])
        logits[:, CAR], logits[:, ROAD] = 20 * blue, 20 * (1 - blue)
        return self.gain * logits

    def forward_instances(self, images: Tensor) -> dict[str, Tensor]:
        line = images[:, 1] > 0.5
        energy = torch.zeros(len(images), 16, *images.shape[-2:])
        energy[:, 0], energy[:, 3] = line.float(), (~line).float()
        maps = {"energy": energy, "border": torch.where(line, 9.0, -9.0)[:, None]}
        return {MAIN: self(images)} | {name: maps[name] for name in self.heads if name != MAIN}


def predictor(*targets: str, **changes: object) -> Predictor:
    return Predictor(Seer(*targets), RAW, CPU, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["energy", "border"])
def test_touching_cars_are_two_by_the_networks_maps_and_one_without(method: str) -> None:
    own = evaluate_instances(predictor(method), Strips(), batch_size=2)
    assert own.method == method
    assert own.pictures == 2
    assert own.metrics()["ap"] > 0.85
    assert own.class_metrics()["Car"]["objects"] == 4
    plain = evaluate_instances(predictor(method), Strips(), "components")
    assert plain.method == "components"
    assert plain.metrics()["ap50"] < 0.5
    assert plain.metrics()["pq"] < own.metrics()["pq"]
    assert plain.metrics()["pq_stuff"] == own.metrics()["pq_stuff"] == 1


def test_a_network_without_maps_gives_components() -> None:
    assert evaluate_instances(predictor(), Strips()).method == "components"
    with pytest.raises(ConfigError, match="Seer has no maps for 'energy'; it takes components"):
        method_of(Seer(), "energy")


def test_pictures_of_another_size_are_compared_at_their_own() -> None:
    result = evaluate_instances(predictor("border", input_hw=(96, 160)), Strips())
    assert result.metrics()["ap50"] == 1


def test_the_table_and_the_json_hold_the_same() -> None:
    result = evaluate_instances(predictor("border"), Strips())
    values = result.to_dict()
    assert values["things"] == ["Car", "Pedestrian", "Bicyclist"]
    assert values["metrics"]["ap"] == result.metrics()["ap"]  # type: ignore[index]
    assert values["classes"]["Pedestrian"]["ap"] is None  # type: ignore[index]
    assert result.table().row_count == len(CAMVID) + 1


def test_data_that_know_classes_alone_are_refused() -> None:
    with pytest.raises(DataError, match="knows classes alone"):
        evaluate_instances(predictor(), Strips(has_instances=False))
    with pytest.raises(ConfigError, match="leave out --flip"):
        InstancePredictor(predictor(flip=True), (CAR,))


def test_objects_are_sure_by_their_classes_chances() -> None:
    finder = InstancePredictor(predictor("border"), (CAR,))
    _, found = finder.find([Strips()[0].image_bgr])[0]
    assert isinstance(found, InstanceMap)
    assert (found.scores > 0.99).all()


def batch(config: AugmentConfig, seed: int = 0) -> tuple[Tensor, Tensor, ObjectTargets]:
    with PictureStore(Strips(), "cpu") as store:
        augmenter = Augmenter(config, (40, 64), RAW)
        return augmenter.with_objects(store, [0, 1, 1], np.random.default_rng(seed))


def test_objects_go_through_the_labels_geometry() -> None:
    """Mirrored, scaled, turned and cut: an object is where its class is, to the pixel."""
    config = AugmentConfig(scale=(0.7, 1.5), rotation_deg=10)
    for seed in range(5):
        _, labels, objects = batch(config, seed)
        assert torch.equal(objects.weights > 0, labels == CAR)
        assert objects.energy[labels != CAR].sum() == 0
        assert objects.border.any()
        assert objects.border.shape == labels.shape
        assert objects.direction.dtype == torch.float32
        assert objects.energy.dtype == torch.int64


def test_the_batch_is_the_same_with_and_without_objects() -> None:
    config = AugmentConfig(noise=0.5, blur=0.5)
    images, labels, _ = batch(config)
    with PictureStore(Strips(), "cpu") as store:
        augmenter = Augmenter(config, (40, 64), RAW)
        plain = augmenter(store, [0, 1, 1], np.random.default_rng(0))
    assert torch.equal(plain[0], images)
    assert torch.equal(plain[1], labels)


def test_pictures_from_disk_have_their_objects_too() -> None:
    config = AugmentConfig()
    with PictureStore(Strips(), "cpu", "disk") as store:
        augmenter = Augmenter(config, (40, 64), RAW)
        again = augmenter.with_objects(store, [0, 1, 1], np.random.default_rng(0))
    for one, other in zip(batch(config)[2], again[2], strict=True):
        assert torch.equal(one, other)


def test_the_store_says_what_it_holds() -> None:
    with PictureStore(Strips(), "cpu") as store, PictureStore(Strips(False), "cpu") as plain:
        assert store.has_instances
        assert not plain.has_instances
        assert store.num_bytes - plain.num_bytes == 2 * 2 * HW[0] * HW[1]
        assert not plain.instance_crops([0], [np.eye(2, 3)], HW).any()


HEADS = {
    MAIN: TrainingHead(1.0),
    "direction": TrainingHead(0.5, target="direction"),
    "energy": TrainingHead(2.0, target="energy"),
    "border": TrainingHead(1.0, target="border"),
}


def test_every_head_has_its_part_of_the_loss() -> None:
    _, labels, objects = batch(AugmentConfig())
    outputs = {
        name: torch.randn(3, head.channels(len(CAMVID)), 10, 16) for name, head in HEADS.items()
    }
    criterion = Criterion(CriterionConfig(), HEADS, len(CAMVID))
    total, parts = criterion(outputs, labels, objects=objects)
    assert list(parts) == ["main/cross_entropy", "direction", "energy", "border"]
    torch.testing.assert_close(total, torch.stack(list(parts.values())).sum())
    doubled = {name: TrainingHead(2 * head.weight, head.target) for name, head in HEADS.items()}
    twice, _ = Criterion(CriterionConfig(), doubled, len(CAMVID))(outputs, labels, objects=objects)
    torch.testing.assert_close(twice, 2 * total)


def test_without_objects_their_heads_learn_nothing() -> None:
    _, labels, _ = batch(AugmentConfig())
    outputs = {
        name: torch.randn(3, head.channels(len(CAMVID)), 10, 16) for name, head in HEADS.items()
    }
    _, parts = Criterion(CriterionConfig(), HEADS, len(CAMVID))(outputs, labels)
    assert list(parts) == ["main/cross_entropy"]


def test_true_maps_cost_nearly_nothing() -> None:
    _, labels, objects = batch(AugmentConfig())
    levels = nn.functional.one_hot(objects.energy, 16).permute(0, 3, 1, 2)
    classes = nn.functional.one_hot(labels.where(labels != 255, 0), len(CAMVID))
    outputs = {
        MAIN: 30.0 * classes.permute(0, 3, 1, 2),
        "direction": objects.direction,
        "energy": 30.0 * levels,
        "border": torch.where(objects.border, 20.0, -20.0)[:, None],
    }
    total, _ = Criterion(CriterionConfig(), HEADS, len(CAMVID))(outputs, labels, objects=objects)
    assert total < 0.01


def test_the_demo_drive_and_parts_of_it_know_objects(tmp_path: Path) -> None:
    values = {
        "layout": "demo", "width_px": 96, "height_px": 72,
        "splits": {"val": {"seeds": [200], "pictures_per_seed": 2}},
    }  # fmt: skip
    dataset = validate(DemoConfig, values, "test").open("val", tmp_path)
    part = Selection(dataset, [1])
    assert part.has_instances
    sample = part[0]
    assert sample.instances is not None
    assert sample.instances.shape == (72, 96)
    assert sample.instances.any()


def test_objects_of_another_size_or_type_are_refused() -> None:
    image, labels = np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), np.uint8)
    for ids in (np.zeros((4, 5), np.uint16), np.zeros((4, 6), np.int32)):
        with pytest.raises(DataError, match="the objects are"):
            Sample(image, labels, "x", ids)  # type: ignore[arg-type]
