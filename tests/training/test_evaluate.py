"""Evaluation against networks whose every answer is known."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from rich.console import Console
from torch import Tensor, nn

from rtseg.classes import VOID, ClassSet
from rtseg.errors import DataError
from rtseg.networks import SegmentationNetwork
from rtseg.networks.normalisation import Normalisation
from rtseg.training.datasets import DataSource, Sample, SegmentationDataset, open_sources
from rtseg.training.evaluate import evaluate, predict_logits, predictions
from rtseg.training.predictor import Predictor, evaluating, scaled_picture

CPU = torch.device("cpu")
RGB = ClassSet("rgb", ("red", "green", "blue"), ((255, 0, 0), (0, 255, 0), (0, 0, 255)))
RAW = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


class ColourNetwork(SegmentationNetwork):
    """Says of every 4x4 block which of red, green and blue is strongest: logits at stride 4."""

    size_multiple = 32
    min_size = 64

    def __init__(self) -> None:
        super().__init__(3)
        self.gain = nn.Parameter(torch.ones(()))
        self.norm = nn.BatchNorm2d(3)
        self.batches: list[torch.Size] = []

    def forward(self, images: Tensor) -> Tensor:
        self.check_size(images)
        self.batches.append(images.shape)
        return F.avg_pool2d(images, 4) * self.gain


class LeaningNetwork(SegmentationNetwork):
    """One asymmetric convolution: what it says of a mirror image is no mirror image."""

    size_multiple = 8
    min_size = 8

    def __init__(self) -> None:
        super().__init__(3)
        self.conv = nn.Conv2d(3, 3, 5, stride=2, padding=2)

    def forward(self, images: Tensor) -> Tensor:
        self.check_size(images)
        logits: Tensor = self.conv(images)
        return logits


class Pictures(SegmentationDataset):
    """Samples in memory."""

    def __init__(self, *samples: Sample | Exception) -> None:
        super().__init__(RGB, [str(index) for index in range(len(samples))])
        self.samples = samples

    def __getitem__(self, index: int) -> Sample:
        sample = self.samples[index]
        if isinstance(sample, Exception):
            raise sample
        return sample


def painted(labels: npt.NDArray[np.uint8], name: str = "0") -> Sample:
    """A picture that `ColourNetwork` labels with exactly these ids."""
    image = np.eye(3, dtype=np.uint8)[:, ::-1][labels] * 200  # RGB ids to BGR pixels
    return Sample(np.ascontiguousarray(image), labels.copy(), name)


def blocks(height: int, width: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Random ids in 4x4 blocks, cut to size."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 3, (-(-height // 4), -(-width // 4)), np.uint8)
    return ids.repeat(4, 0).repeat(4, 1)[:height, :width]


def sides(height: int, width: int, split: int) -> npt.NDArray[np.uint8]:
    """Red up to the column `split`, blue from there on."""
    labels = np.zeros((height, width), np.uint8)
    labels[:, split:] = 2
    return labels


def run(*samples: Sample | Exception, **options: object) -> dict[str, float]:
    return evaluate(
        ColourNetwork(), Pictures(*samples), RAW, device=CPU, **options  # type: ignore[arg-type]
    ).metrics()  # fmt: skip


def test_known_answers_give_known_scores() -> None:
    first, second = painted(sides(64, 64, 32), "first"), painted(sides(64, 96, 48), "second")
    first.labels[:, 48:] = 1  # says blue, is green: a quarter of the first picture
    second.labels[:32] = VOID
    done: list[tuple[int, int]] = []
    evaluation = evaluate(
        ColourNetwork(),
        Pictures(first, second),
        RAW,
        device=CPU,
        progress=lambda count, total: done.append((count, total)),
    )
    red, green, blue = 2048 + 1536, 1024, 1024 + 1536
    assert evaluation.confusion.tolist() == [[red, 0, 0, 0], [0, 0, green, 0], [0, 0, blue, 0]]
    values = evaluation.metrics()
    blue_iou = blue / (blue + green)
    assert values["mean_iou"] == pytest.approx((1 + 0 + blue_iou) / 3)
    assert values["pixel_accuracy"] == pytest.approx((red + blue) / (red + green + blue))
    assert values["mean_class_accuracy"] == pytest.approx(2 / 3)
    assert evaluation.class_metrics()["blue"]["iou"] == pytest.approx(blue_iou)
    assert [score.name for score in evaluation.pictures] == ["first", "second"]
    assert evaluation.pictures[0].mean_iou == pytest.approx((1 + 0 + 0.5) / 3)
    assert evaluation.pictures[1].mean_iou == 1
    assert done[-1] == (2, 2)


def test_a_class_that_is_nowhere_is_left_out() -> None:
    evaluation = evaluate(
        ColourNetwork(), Pictures(painted(sides(64, 64, 32))), RAW, device=CPU, boundary=True
    )
    assert math.isnan(evaluation.class_metrics()["green"]["iou"])
    assert evaluation.metrics()["mean_iou"] == evaluation.metrics()["boundary_f"] == 1
    classes = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))["classes"]
    assert classes["green"] == {"iou": None, "accuracy": None, "share": 0, "boundary_f": None}


def test_the_table_names_every_class_and_shows_no_nan() -> None:
    text = io.StringIO()
    evaluation = evaluate(ColourNetwork(), Pictures(painted(sides(64, 64, 48))), RAW, device=CPU)
    Console(file=text, width=80).print(evaluation.table())
    assert "75.00" in text.getvalue()
    assert all(name in text.getvalue() for name in (*RGB.names, "mean", "IoU %"))
    assert "nan" not in text.getvalue()


@pytest.mark.parametrize(("height", "width"), [(64, 64), (36, 52), (37, 50), (65, 98), (5, 300)])
def test_padding_shifts_no_label(height: int, width: int) -> None:
    """Sizes below the minimum, and between multiples: a side stays where it is."""
    assert run(painted(sides(height, width, 24)))["pixel_accuracy"] == 1


def test_every_pixel_of_a_padded_picture_is_right_away_from_the_steps() -> None:
    labels = blocks(64, 64)[:44, :52]
    image = RAW(torch.from_numpy(painted(labels).image_bgr[None]))
    found = predict_logits(ColourNetwork(), image, (44, 52)).argmax(1)[0].numpy()
    # Bilinear resizing meets the stride-4 answer in the middle 2x2 of every block, nearly.
    for row, column in ((1, 1), (1, 2), (2, 1), (2, 2)):
        inner = np.s_[4 + row : 40 : 4, 4 + column : 48 : 4]
        assert (found[inner] == labels[inner]).mean() > 0.95


def test_the_network_may_see_another_size() -> None:
    network = ColourNetwork()
    sample = painted(sides(100, 200, 100))
    evaluation = evaluate(network, Pictures(sample), RAW, device=CPU, input_hw=(64, 128))
    assert network.batches == [torch.Size((1, 3, 64, 128))]
    assert evaluation.confusion.sum() == 100 * 200
    assert evaluation.metrics()["pixel_accuracy"] > 0.99


def test_flip_is_the_average_of_both_logits() -> None:
    network = LeaningNetwork().eval()
    images = torch.randn(2, 3, 21, 30)
    with torch.no_grad():
        plain = predict_logits(network, images, (21, 30))
        mirrored = predict_logits(network, images.flip(-1), (21, 30)).flip(-1)
        both = predict_logits(network, images, (21, 30), flip=True)
    assert not torch.allclose(plain, mirrored)
    torch.testing.assert_close(both, (plain + mirrored) / 2)
    resized = F.interpolate(both, (42, 50), mode="bilinear", align_corners=False)
    with torch.no_grad():
        torch.testing.assert_close(predict_logits(network, images, (42, 50), flip=True), resized)


def test_logits_are_float32_in_every_precision() -> None:
    network, images = LeaningNetwork().eval(), torch.randn(1, 3, 16, 16)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        logits = predict_logits(network, images, (16, 16))
    assert logits.dtype == torch.float32
    assert logits.shape == (1, 3, 16, 16)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "auto"])
def test_every_precision_answers(precision: str) -> None:
    assert run(painted(sides(64, 64, 32)), precision=precision)["mean_iou"] == 1


def test_neighbours_of_one_size_share_a_batch_in_order() -> None:
    sizes = [64, 64, 64, 96, 96, 64]
    samples = [painted(blocks(64, width, seed), str(seed)) for seed, width in enumerate(sizes)]
    network = ColourNetwork()
    predictor = Predictor(network, RAW, CPU)
    names = [
        [sample.name for sample, _ in batch]
        for batch in predictions(predictor, Pictures(*samples), 2)
    ]
    assert names == [["0", "1"], ["2"], ["3", "4"], ["5"]]
    assert [(shape[0], shape[3]) for shape in network.batches] == [
        (2, 64),
        (1, 64),
        (2, 96),
        (1, 64),
    ]


@pytest.mark.parametrize("batch_size", [1, 3, 50])
def test_the_batch_size_changes_nothing(batch_size: int) -> None:
    samples = [painted(blocks(68, 72, seed), str(seed)) for seed in range(7)]
    values = run(*samples, batch_size=batch_size, boundary=True, video=True)
    assert values == run(*samples, batch_size=2, boundary=True, video=True)


def test_a_film_is_judged_frame_by_frame() -> None:
    """Truth stands still; the second of three frames says green where red was, in one quarter."""
    frames = [painted(sides(64, 64, 32), str(index)) for index in range(3)]
    wrong = sides(64, 64, 32)
    wrong[:, :16] = 1
    frames[1] = Sample(painted(wrong).image_bgr, frames[1].labels, "1")
    values = run(*frames, video=True)
    assert values["temporal_consistency"] == pytest.approx(0.75)
    assert values["flicker"] == pytest.approx(0.25)
    assert "flicker" not in run(*frames)


def test_every_module_gets_its_mode_back() -> None:
    network = ColourNetwork().train()
    network.norm.eval()  # frozen, as fine-tuning does
    statistics = network.norm.running_mean.clone()  # type: ignore[union-attr]
    evaluate(network, Pictures(painted(blocks(64, 64))), RAW, device=CPU)
    assert network.training
    assert not network.norm.training
    torch.testing.assert_close(network.norm.running_mean, statistics)


def test_a_failing_network_gets_its_mode_back() -> None:
    network = LeaningNetwork().train()
    broken = Sample(np.zeros((16, 16, 3), np.uint8), np.full((16, 16), 77, np.uint8), "odd")
    with pytest.raises(DataError, match="id 77"):
        evaluate(network, Pictures(broken), RAW, device=CPU)
    assert network.training
    with evaluating(network):
        assert not network.conv.training
        assert not torch.is_grad_enabled()
    assert network.conv.training
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("dataset", "network", "message"),
    [
        (Pictures(), ColourNetwork, "no pictures"),
        (
            Pictures(painted(blocks(64, 64)), DataError("picture 1 is broken")),
            ColourNetwork,
            "picture 1 is broken",
        ),
        (
            Pictures(painted(blocks(64, 64))),
            lambda: SegmentationNetwork(7),
            "the network has 7 classes but the data set 'rgb' has 3",
        ),
    ],
)
def test_what_can_not_be_evaluated_says_why(
    dataset: Pictures, network: Callable[[], SegmentationNetwork], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        evaluate(network(), dataset, RAW, device=CPU)


def test_scaling_keeps_what_needs_no_scaling() -> None:
    image = painted(blocks(64, 64)).image_bgr
    assert scaled_picture(image, None) is image
    assert scaled_picture(image, (64, 64)) is image
    assert scaled_picture(image, (32, 128)).shape == (32, 128, 3)
    assert (
        scaled_picture(np.full((64, 64, 3), 7, np.uint8), (16, 16)).tolist()
        == [[[7] * 3] * 16] * 16
    )


def test_camvid_evaluates_at_its_own_size(shared_data: Path, repository: Path) -> None:
    """Three pictures, a network that always says Road: accuracy is the share of road."""

    class Road(SegmentationNetwork):
        size_multiple = 32

        def forward(self, images: Tensor) -> Tensor:
            self.check_size(images)
            logits = images.new_zeros(len(images), 11, 2, 3)
            logits[:, 3] = 1
            return logits

    config = repository / "configs" / "datasets" / "camvid.yaml"
    dataset = open_sources([DataSource(data=config, split="val", limit=3)], repository)
    evaluation = evaluate(Road(11), dataset, Normalisation(), device=CPU)
    road = evaluation.class_metrics()["Road"]
    assert road["accuracy"] == 1
    assert road["share"] == pytest.approx(evaluation.metrics()["pixel_accuracy"])
    assert 0.2 < road["share"] < 0.4
    assert len(evaluation.pictures) == 3
