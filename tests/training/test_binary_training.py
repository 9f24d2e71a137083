"""Trainings of binary networks: one channel, a chosen threshold, and what is refused."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from torch import Tensor

from rtseg.classes import ClassSet
from rtseg.errors import ConfigError, DataError
from rtseg.networks import SegmentationNetwork
from rtseg.networks.normalisation import Normalisation
from rtseg.networks.trained import load_trained, read_card
from rtseg.training.criterion import Criterion, CriterionConfig
from rtseg.training.datasets import Sample, SegmentationDataset
from rtseg.training.evaluate import evaluate
from rtseg.training.losses.distillation import DistillationConfig
from rtseg.training.losses.lovasz_hinge import LovaszHingeConfig
from rtseg.training.losses.overlap import DiceConfig
from rtseg.training.predictor import predict_logits
from rtseg.training.run import TrainResult

CPU = torch.device("cpu")
RAW = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
SALT = ClassSet("salt", ("background", "salt"), ((0, 0, 0), (255, 255, 255)))
Train = Callable[..., TrainResult]


class Brightness(SegmentationNetwork):
    """Takes a pixel's green, 0 to 1, for the probability of the object."""

    size_multiple = 8
    min_size = 16

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, images: Tensor) -> Tensor:
        self.check_size(images)
        return images[:, 1:2].clamp(1e-4, 1 - 1e-4).logit()


class Pictures(SegmentationDataset):
    """Grey pictures whose brightness says how sure one may be of the object."""

    def __init__(self, *pairs: tuple[np.ndarray, np.ndarray]) -> None:
        super().__init__(SALT, [str(index) for index in range(len(pairs))])
        self.pairs = pairs

    def __getitem__(self, index: int) -> Sample:
        grey, labels = self.pairs[index]
        return Sample(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR).astype(np.uint8), labels, str(index))


@pytest.fixture
def two_classes(tiny_config: Path) -> Callable[[], None]:
    """Read the tiny data set's sky and ground as background, its box as object."""
    data = yaml.safe_load((tiny_config.parent / "data.yaml").read_text())
    data["masks"]["values"] = "ids"
    data["classes"] = [
        {"name": "background", "colour": [0, 0, 0], "ids": [0, 1]},
        {"name": "box", "colour": [255, 255, 255], "ids": [2]},
    ]
    data["void"] = {"ids": [255]}

    def write() -> None:
        (tiny_config.parent / "data.yaml").write_text(yaml.safe_dump(data))

    write()
    return write


def test_a_binary_training_chooses_its_threshold(two_classes: object, train_tiny: Train) -> None:
    result = train_tiny(
        "out", "network.binary=true", "train.epochs=12", "augment.padding=reflect",
        "criterion.terms=[{name: cross_entropy}, {name: dice}]",
    )  # fmt: skip
    folder = result.folder
    trained = load_trained(folder.best)
    assert trained.network.num_classes == 1
    assert trained.card.padding == "reflect"
    scores = json.loads(folder.metrics.read_text())["weights"]["best.safetensors"]["val"]
    curve = scores["threshold_curve"]
    assert trained.card.threshold == scores["threshold"]
    best = curve["thresholds"].index(scores["threshold"])
    assert curve["iou"][best] == max(curve["iou"]) > 0.5
    assert scores["metrics"]["dice"] == pytest.approx(curve["dice"][best])
    assert scores["metrics"]["mask_precision"] == pytest.approx(curve["mask_precision"][best])
    assert scores["classes"]["box"]["iou"] == pytest.approx(curve["iou"][best])
    assert trained.card.metrics["val/dice"] == scores["metrics"]["dice"]
    assert cv2.imread(str(folder.thresholds)).shape[0] > 100
    page = folder.card.read_text()
    assert "thresholds.png" in page
    assert f"above {trained.card.threshold:.2f} a pixel counts" in page
    history = json.loads(folder.metrics.read_text())["history"]
    assert {"dice", "mask_precision"} <= set(history[0]["val"])


def test_a_binary_network_needs_two_classes(train_tiny: Train) -> None:
    with pytest.raises(ConfigError, match=r"data of 2 classes.*'shapes' has 3"):
        train_tiny("out", "network.binary=true")


def test_a_loss_without_binary_form_ends_it_before_it_begins(
    two_classes: object, train_tiny: Train
) -> None:
    with pytest.raises(ConfigError, match="take lovasz_hinge"):
        train_tiny("out", "network.binary=true", "criterion.terms=[{name: lovasz_softmax}]")
    with pytest.raises(ConfigError, match=r"network.binary: true, or take lovasz_softmax"):
        train_tiny("out", "criterion.terms=[{name: lovasz_hinge}]")


def test_other_networks_start_a_binary_one_with_a_new_head(
    two_classes: object, train_tiny: Train, tmp_path: Path
) -> None:
    train_tiny("two", "train.epochs=1")
    start = f"init={{weights: {tmp_path}/two/best.safetensors}}"
    with pytest.raises(ConfigError, match=r"has 2 channels.*network.binary is true.*new_head"):
        train_tiny("one", "network.binary=true", "train.epochs=1", start)
    result = train_tiny("one", "network.binary=true", "train.epochs=1", start, "init.new_head=true")
    assert read_card(result.folder.best).num_outputs == 1
    teacher = f"distill={{weights: {tmp_path}/two/best.safetensors}}"
    with pytest.raises(ConfigError, match="a teacher needs the same"):
        train_tiny("taught", "network.binary=true", "train.epochs=1", teacher)
    teacher = f"distill={{weights: {tmp_path}/one/best.safetensors}}"
    assert train_tiny("taught", "network.binary=true", "train.epochs=1", teacher).complete


def test_the_criterion_meets_one_channel_in_binary_form() -> None:
    config = CriterionConfig(
        terms=[DiceConfig(), LovaszHingeConfig(weight=0.5)], distillation=DistillationConfig()
    )
    network = Brightness()
    criterion = Criterion(config, network.heads, network.num_classes)
    logits, labels = torch.randn(1, 1, 8, 8), torch.randint(0, 2, (1, 8, 8))
    total, parts = criterion({"main": logits}, labels, teacher_logits=logits)
    assert set(parts) == {"main/dice", "main/lovasz_hinge", "distillation"}
    assert parts["distillation"].abs() < 1e-6
    _, far = criterion({"main": logits}, labels, teacher_logits=-logits)
    assert far["distillation"] > 0.01
    chance = logits.sigmoid()[0, 0]
    dice = 1 - (2 * (chance * labels[0]).sum() + 2) / (chance.sum() + labels.sum() + 2)
    torch.testing.assert_close(parts["main/dice"], dice)
    assert total > parts["main/dice"]


def picture(*levels: int) -> np.ndarray:
    return np.repeat(np.array(levels, np.uint8), 4)[None].repeat(16, 0)


def test_evaluation_counts_at_the_threshold_and_over_all() -> None:
    """Columns of brightness 64, 128 and 255 are 25, 50 and 100 % sure."""
    truth = picture(0, 1, 1, 0)
    data = Pictures((picture(0, 64, 255, 128), truth), (picture(0, 0, 0, 0), picture(0, 0, 0, 0)))
    evaluation = evaluate(Brightness(), data, RAW, device=CPU, threshold=0.2)
    column = 4 * 16
    assert evaluation.confusion.tolist() == [[5 * column, column, 0], [0, 2 * column, 0]]
    values = evaluation.metrics()
    assert values["dice"] == pytest.approx(4 / 5)
    assert values["mask_precision"] == pytest.approx((0.4 + 1) / 2)  # IoU 2/3; rightly nothing
    strict = evaluate(Brightness(), data, RAW, device=CPU, threshold=0.7).metrics()
    assert strict["dice"] == pytest.approx(2 / 3)
    assert evaluation.curve is not None
    assert evaluation.curve.pictures == 2
    best = evaluation.at_best_threshold()
    assert best.threshold == 0.25  # the highest one below 64 / 255
    assert best.metrics()["dice"] == pytest.approx(4 / 5)


def test_a_threshold_must_fit_network_and_data() -> None:
    data = Pictures((picture(0, 1), picture(0, 1)))
    with pytest.raises(DataError, match="network has 1 classes but the data set 'salt' has 2"):
        evaluate(Brightness(), data, RAW, device=CPU)
    network = Brightness()
    network.num_classes = 2
    with pytest.raises(DataError, match="1 channel on data of 2 classes; this network has 2"):
        evaluate(network, data, RAW, device=CPU, threshold=0.5)


def test_pictures_are_padded_with_their_mirror_image() -> None:
    seen: list[Tensor] = []

    class Watching(Brightness):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(images)
            return super().forward(images)

    images = torch.rand(1, 3, 21, 30)
    logits = predict_logits(Watching(), images, (21, 30), padding="reflect")
    assert logits.shape == (1, 1, 21, 30)
    torch.testing.assert_close(seen[0], F.pad(images, (0, 2, 0, 3), mode="reflect"))
    predict_logits(Watching(), images, (21, 30))
    assert not seen[1][..., 21:, :].any()


@pytest.mark.slow
def test_two_processes_choose_one_threshold(
    tiny_config: Path,
    start_tiny: Callable[..., subprocess.Popen[str]],
    train_tiny: Train,
    tmp_path: Path,
) -> None:
    """Three validation pictures lie with two processes; their counts make one curve."""
    splits = {"train": {"seed": 1, "pictures": 8}, "val": {"seed": 2, "pictures": 3}}
    data = {"layout": "salt_standin", "side_px": 64, "splits": splits}
    (tiny_config.parent / "data.yaml").write_text(yaml.safe_dump(data))
    settings = (
        "network={name: tiny-plain, binary: true}", "crop_hw=[64, 64]", "train.epochs=2",
        "augment={scale: [1, 1], flip: 0, brightness: 0, contrast: 0, saturation: 0, hue_deg: 0}",
    )  # fmt: skip
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    process = start_tiny("two", *settings, launcher=launcher)
    train_tiny("one", *settings)
    text, _ = process.communicate(timeout=200)
    assert process.returncode == 0, text
    one, two = (
        json.loads((tmp_path / name / "metrics.json").read_text())["history"][-1]["val"]
        for name in ("one", "two")
    )
    assert two == pytest.approx(one, abs=0.02)
