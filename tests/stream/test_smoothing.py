"""Temporal smoothing: calm where the picture stands, quick where it moves, afresh after a cut."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from rtseg.classes import VOID
from rtseg.demo_drive import DemoDrive
from rtseg.fit import Fit
from rtseg.frames import Frame
from rtseg.metrics import (
    TemporalCounts,
    confusion_counts,
    mean_iou,
    temporal_consistency,
    temporal_counts,
)
from rtseg.stream.inferred import Inferred
from rtseg.stream.smoothing import TemporalSmoothing, best_class

HW = (48, 64)
K = 4
Scores = npt.NDArray[np.float32]
STILL = np.random.default_rng(9).integers(0, 256, (*HW, 3)).astype(np.uint8)


def sure_of(label: int, share: float = 0.9) -> Scores:
    scores = np.full((K, *HW), (1 - share) / (K - 1), np.float32)
    scores[label] = share
    return scores


def inferred(
    output: npt.NDArray[np.generic], pts_s: float, image: npt.NDArray[np.uint8] = STILL
) -> Inferred:
    hw = image.shape[0], image.shape[1]
    return Inferred(Frame(image, 0, pts_s, 0, "test"), Fit("stretch", hw, HW), output)


def test_a_flicker_is_not_seen_and_a_change_is() -> None:
    smoothing = TemporalSmoothing(0.8, K)
    seen = []
    for index, label in enumerate([1] * 10 + [2] + [1] * 5 + [3] * 12):
        labels = smoothing.labels(inferred(sure_of(label), index / 30))
        assert (labels == labels[0, 0]).all()
        seen.append(int(labels[0, 0]))
    assert seen[:16] == [1] * 16
    assert seen[-1] == 3


def test_fewer_frames_a_second_do_not_make_it_slower() -> None:
    """The same time passes until a new class wins, whether or not frames are dropped."""

    def seconds_until_seen(fps: float) -> float:
        smoothing = TemporalSmoothing(0.9, K)
        smoothing.labels(inferred(sure_of(1), 0.0))
        index = 0
        while True:
            index += 1
            if smoothing.labels(inferred(sure_of(2), index / fps))[0, 0] == 2:
                return index / fps

    assert seconds_until_seen(5) == pytest.approx(seconds_until_seen(60), abs=0.2)


def test_what_moves_leaves_no_trail() -> None:
    """A bright square runs over a standing ground: its labels follow at once."""
    smoothing = TemporalSmoothing(0.9, 2)
    for index in range(8):
        image = np.full((96, 128, 3), 60, np.uint8)
        left = 8 + 12 * index
        image[30:60, left : left + 12] = 220
        truth = (image[::2, ::2, 0] > 100).astype(np.uint8)
        scores = np.stack([1.0 - truth, truth]).astype(np.float32) * 0.8 + 0.1
        labels = smoothing.labels(inferred(scores, index / 30, image))
        assert np.count_nonzero(labels != truth) <= 0.05 * truth.sum()


@pytest.mark.parametrize("what", ["cut", "gap", "back", "size", "reset"])
def test_a_new_scene_starts_afresh(what: str) -> None:
    smoothing = TemporalSmoothing(0.95, K)
    for index in range(20):
        smoothing.labels(inferred(sure_of(1), 1 + index / 30))
    image, pts_s = STILL, 1 + 20 / 30
    if what == "cut":
        image = np.random.default_rng(1).integers(0, 256, (*HW, 3)).astype(np.uint8)
    elif what == "gap":
        pts_s = 5.0
    elif what == "back":
        pts_s = 0.0
    elif what == "size":
        image = np.repeat(np.repeat(STILL, 2, 0), 2, 1)
    else:
        smoothing.reset()
    assert (smoothing.labels(inferred(sure_of(2), pts_s, image)) == 2).all()


def test_the_drive_itself_is_never_a_cut_but_another_street_is() -> None:
    fit = Fit("stretch", (180, 320), HW)
    smoothing = TemporalSmoothing(0.9, K)
    for seed, label, expected in ((2, 1, 1), (5, 2, 2)):
        drive = DemoDrive(seed, 320, 180)
        for index in range(6):
            frame = Frame(drive.render(index)[0], index, seed + index / 30, 0, "demo")
            wrong = sure_of(3) if index == 4 else sure_of(label)
            labels = smoothing.labels(Inferred(frame, fit, wrong))
            if index < 4:
                assert (labels == expected).mean() > 0.99
        # One odd frame within a drive is outvoted wherever the picture stands still.
        assert (labels == expected).mean() > 0.9


def test_labels_are_votes() -> None:
    smoothing = TemporalSmoothing(0.8, K)
    votes = [1, 1, 1, 1, 3, 1]
    for index, label in enumerate(votes):
        output = np.full(HW, label, np.uint8)
        assert (smoothing.labels(inferred(output, index / 30)) == 1).all()
        assert (output == label).all()


def test_the_bars_of_a_letterbox_are_void() -> None:
    image = np.random.default_rng(3).integers(0, 256, (40, 120, 3)).astype(np.uint8)
    fit = Fit("letterbox", (40, 120), HW)
    smoothing = TemporalSmoothing(0.8, K)
    for index in range(3):
        item = Inferred(Frame(image, index, index / 30, 0, "x"), fit, sure_of(2))
        labels = smoothing.labels(item)
    height, width = fit.content_hw
    assert (labels[:height, :width] == 2).all()
    assert (labels[height:] == VOID).all()


def test_scores_are_only_read() -> None:
    smoothing = TemporalSmoothing(0.8, K)
    outputs = [sure_of(1), sure_of(2), sure_of(3)]
    copies = [scores.copy() for scores in outputs]
    for index, scores in enumerate(outputs):
        smoothing.labels(inferred(scores, index / 30))
    assert all(np.array_equal(*pair) for pair in zip(outputs, copies, strict=True))


def test_best_class_is_the_first_of_the_highest() -> None:
    scores = np.random.default_rng(4).integers(0, 4, (19, 30, 40)).astype(np.float32)
    assert np.array_equal(best_class(scores), scores.argmax(axis=0))


def test_noisy_scores_of_the_drive_become_steadier_and_righter() -> None:
    """A network that is unsure in patches, on a moving street with known truth."""
    rng = np.random.default_rng(5)
    drive = DemoDrive(3, 320, 180)
    fit = Fit("stretch", (180, 320), (180, 320))
    smoothing = TemporalSmoothing(0.8, 11)
    confusion = {"raw": 0, "smooth": 0}
    steady = {"raw": TemporalCounts(), "smooth": TemporalCounts()}
    before: dict[str, npt.NDArray[np.uint8]] = {}
    for index in range(12):
        image, truth = drive.render(index)
        noise = rng.normal(0, 1, (11, 23, 40)).repeat(8, 1).repeat(8, 2)[:, :180]
        scores = np.eye(11)[truth].transpose(2, 0, 1) * 1.5 + noise
        scores = np.exp(scores) / np.exp(scores).sum(axis=0)
        item = Inferred(Frame(image, index, index / 30, 0, "demo"), fit, scores.astype(np.float32))
        now = {"raw": best_class(item.output), "smooth": smoothing.labels(item), "truth": truth}
        for name in confusion:
            confusion[name] = confusion[name] + confusion_counts(truth, now[name], 11)
            if before:
                steady[name] += temporal_counts(before[name], now[name], before["truth"], truth)
        before = now
    assert mean_iou(confusion["smooth"]) > mean_iou(confusion["raw"]) + 0.05
    consistency = {name: temporal_consistency(counts) for name, counts in steady.items()}
    assert consistency["smooth"] > consistency["raw"] + 0.05
