"""Comparing an engine with its network: counts, thresholds, the worst frame."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from rtseg.backends.base import Engine, EngineInfo, OutputKind
from rtseg.classes import ClassSet
from rtseg.errors import EngineError
from rtseg.export.parity import Comparison, compare, frame_labels, percent
from rtseg.export.parity_report import (
    DIFFERENT_BGR,
    differences,
    manifest_parity,
    report,
    summary_line,
    worst_picture,
    write_report,
)
from rtseg.frames import Frame

LIGHTS = ClassSet("lights", ("off", "dim", "on"), ((0, 0, 0), (90, 90, 0), (255, 255, 0)))
HW = (8, 12)
Change = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]


class Threshold(Engine):
    """Labels a pixel by its green: below 85, below 170, above; then changed."""

    def __init__(
        self,
        change: Change | None = None,
        *,
        precision: str = "fp32",
        output: OutputKind = "labels",
        batch: int = 1,
        hw: tuple[int, int] = HW,
        classes: ClassSet = LIGHTS,
    ) -> None:
        self.change = change or (lambda labels: labels)
        self.calls = 0
        self.info = EngineInfo(
            "lights", "test", precision, "cpu", classes, hw, batch=batch, output=output
        )

    def infer(self, images_bgr: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        self.info.check(images_bgr)
        self.calls += 1
        labels = self.change((images_bgr[..., 1] // 86).astype(np.uint8))
        if self.info.output == "labels":
            return labels
        return np.moveaxis(np.eye(3, dtype=np.float32)[labels], -1, 1)


def frames(
    count: int, hw: tuple[int, int] = HW, source: str = "film", truth: bool = True
) -> list[Frame]:
    rng = np.random.default_rng(1)
    made = []
    for index in range(count):
        green = rng.integers(0, 256, hw, np.uint8)
        image = np.repeat(green[..., None], 3, axis=2)
        labels = (green // 86).astype(np.uint8)
        made.append(Frame(image, index, index / 10, 0, source, labels if truth else None))
    return made


def flip_one(labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Change one pixel in 96."""
    changed = labels.copy()
    changed[..., ::8, ::12] = (changed[..., ::8, ::12] + 1) % 3
    return changed


def test_equal_engines_agree_in_everything() -> None:
    found = compare(Threshold(), Threshold(), frames(4))
    assert found.pixel_agreement == 1
    assert found.agreement_by_class() == {"off": 1, "dim": 1, "on": 1}
    assert found.mean_iou_change == 0
    assert found.temporal_consistency_change == 0
    assert found.frames == 4
    assert found.sources == ("film",)
    assert not found.failures()


def test_counts_are_those_of_the_pixels() -> None:
    film = frames(5)
    found = compare(Threshold(flip_one), Threshold(), film)
    pixels = HW[0] * HW[1]
    assert found.pixel_agreement == pytest.approx(1 - 1 / pixels)
    assert found.agreement.sum() == 5 * pixels
    assert found.mean_iou_change is not None
    assert found.mean_iou_change < 0
    assert set(found.iou_change()) == set(LIGHTS.names)
    assert "98.958 % of the pixels agree with the network, fp32 owes 99.990 %" in found.failures()


@pytest.mark.parametrize(
    ("precision", "agreement", "fails"),
    [
        ("fp32", 0.99991, False),
        ("fp32", 0.9998, True),
        ("fp16", 0.9951, False),
        ("fp16", 0.9949, True),
        ("bf16", 0.9949, True),
        ("int8", 0.971, False),
        ("int8", 0.969, True),
    ],
)
def test_each_precision_owes_its_own(precision: str, agreement: float, fails: bool) -> None:
    hw = (250, 400)
    wrong = round((1 - agreement) * hw[0] * hw[1])

    def some_wrong(labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        flat = labels.reshape(-1).copy()
        flat[:wrong] = (flat[:wrong] + 1) % 3
        return flat.reshape(labels.shape)

    engine = Threshold(some_wrong, precision=precision, hw=hw)
    found = compare(engine, Threshold(hw=hw), frames(1, hw, truth=False))
    assert bool(found.failures()) == fails


def test_int8_may_not_lose_more_than_a_point_of_mean_iou() -> None:
    hw = (100, 100)
    film = frames(1, hw)
    rare = film[0].truth
    assert rare is not None
    rare[:] = 0
    rare[:, 50:] = 1
    rare[:2, :50] = 2  # one pixel in a hundred, of which a third is lost
    image = np.repeat((rare * 86 + 10)[..., None], 3, axis=2).astype(np.uint8)
    frame = Frame(image, 0, 0.0, 0, "film", rare)

    def lose(labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        changed = labels.copy()
        changed[:, 0, :33] = 0
        return changed

    found = compare(Threshold(lose, precision="int8", hw=hw), Threshold(hw=hw), [frame])
    assert found.pixel_agreement > 0.99
    (failure,) = found.failures()
    assert failure.endswith("points of mean IoU are lost, int8 may lose 1")


def test_the_worst_frame_is_kept() -> None:
    film = frames(6)
    engine = Threshold()

    def third_is_wrong(labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return (labels + 1) % 3 if engine.calls == 3 else labels

    engine.change = third_is_wrong
    found = compare(engine, Threshold(), film)
    assert found.worst.frame is film[2]
    assert found.worst.agreement == 0
    assert np.array_equal(found.worst.reference, film[2].truth)
    assert np.array_equal(found.worst.labels, (film[2].truth + 1) % 3)


def test_flicker_of_the_engine_alone_shows() -> None:
    still = [Frame(frames(1)[0].image_bgr, index, index / 10, 0, "still") for index in range(4)]
    engine = Threshold()
    engine.change = lambda labels: (labels + engine.calls) % 3
    found = compare(engine, Threshold(), still)
    assert found.temporal_consistency_change == -1
    assert found.mean_iou_change is None
    assert found.iou_change() == {}


def test_frames_of_two_films_are_no_neighbours() -> None:
    film = [*frames(1), *frames(1, source="other")]
    assert compare(Threshold(), Threshold(), film).temporal_consistency_change is None


def test_scores_and_batches_give_the_same_labels() -> None:
    film = frames(5)
    expected = [labels for frame in film for labels in frame_labels(Threshold(), [frame])]
    for engine in (
        Threshold(output="scores"),
        Threshold(batch=2),
        Threshold(batch=3, output="scores"),
    ):
        for labels, wanted in zip(frame_labels(engine, film), expected, strict=True):
            assert np.array_equal(labels, wanted)
        assert compare(engine, Threshold(batch=engine.info.batch), film).pixel_agreement == 1


def test_labels_have_the_frames_size() -> None:
    (labels,) = frame_labels(Threshold(), frames(1, (90, 160)))
    assert labels.shape == (90, 160)
    assert labels.dtype == np.uint8
    (cropped,) = frame_labels(Threshold(), frames(1, (90, 320)), "crop")
    assert (cropped[:, 0] == 255).all()


def test_comparisons_add_up() -> None:
    both = compare(Threshold(flip_one), Threshold(), [*frames(3), *frames(2, source="other")])
    parts = compare(Threshold(flip_one), Threshold(), frames(3)) + compare(
        Threshold(flip_one), Threshold(), frames(2, source="other")
    )
    assert report(both) == report(parts)


def test_what_can_not_be_compared_is_refused() -> None:
    with pytest.raises(EngineError, match="no frames"):
        compare(Threshold(), Threshold(), [])
    with pytest.raises(EngineError, match="another size"):
        compare(Threshold(), Threshold(hw=(16, 24)), frames(1))
    others = ClassSet("three", ("a", "b", "c"), ((0, 0, 0),) * 3)
    with pytest.raises(EngineError, match="other classes"):
        compare(Threshold(), Threshold(classes=others), frames(1))


@pytest.fixture
def poor() -> Comparison:
    hw = (90, 160)
    return compare(Threshold(flip_one, hw=hw), Threshold(hw=hw), frames(3, hw))


def test_the_report_is_json_and_a_picture(poor: Comparison, tmp_path: Path) -> None:
    write_report(poor, tmp_path)
    values = json.loads((tmp_path / "parity.json").read_text(), parse_constant=pytest.fail)
    assert values["passed"] is False
    assert values["failures"] == poor.failures()
    assert values["pixel_agreement"] == pytest.approx(poor.pixel_agreement)
    assert values["reference_mean_iou"] > values["mean_iou"] > 0
    assert set(values["agreement_iou"]) == set(LIGHTS.names)
    picture = cv2.imread(str(tmp_path / "parity.png"))
    assert picture is not None
    assert picture.shape == worst_picture(poor).shape
    assert picture.shape[1] == 2 * 640


def test_differences_are_red_and_nothing_else_is() -> None:
    image = np.full((4, 6, 3), 200, np.uint8)
    labels = np.zeros((4, 6), np.uint8)
    other = labels.copy()
    other[1, 2] = 1
    shown = differences(image, labels, other)
    assert tuple(shown[1, 2]) == DIFFERENT_BGR
    assert ((shown == DIFFERENT_BGR).all(axis=2) == (labels != other)).all()


def test_the_manifest_gets_the_figures(poor: Comparison) -> None:
    parity = manifest_parity(poor)
    assert parity.frames == 3
    assert parity.threshold == 0.9999
    assert parity.worst_frame in (0, 1, 2)
    assert parity.pixel_agreement == poor.pixel_agreement
    assert "over 3 frames" in summary_line(poor)
    without = compare(Threshold(), Threshold(), frames(1, truth=False))
    assert manifest_parity(without).mean_iou_change is None
    assert report(without)["mean_iou"] is None


def test_a_failure_never_looks_full() -> None:
    assert percent(0.99999999) == "99.999 %"
    assert percent(1.0) == "100.000 %"
    assert not math.isnan(float(percent(0.5).removesuffix(" %")))
