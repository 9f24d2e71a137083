"""Smooth class borders: where they lie, what they never do, and that they are better."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtseg.classes import VOID
from rtseg.demo_drive import DemoDrive
from rtseg.errors import DataError
from rtseg.fit import Fit, FitMode
from rtseg.metrics import (
    BoundaryCounts,
    boundary_counts,
    boundary_f_score,
    confusion_counts,
    mean_iou,
    mean_of,
)
from rtseg.stream.edges import smooth_labels_to_frame

Ids = npt.NDArray[np.uint8]
MODES: tuple[FitMode, ...] = ("stretch", "letterbox", "crop")


def on_grid(truth: Ids, grid_hw: tuple[int, int]) -> Ids:
    """The labels of a perfect engine: the class with the largest share of each cell."""
    planes = [
        cv2.resize((truth == k).astype(np.float32), grid_hw[::-1], interpolation=cv2.INTER_AREA)
        for k in range(int(truth.max()) + 1)
    ]
    return np.argmax(planes, axis=0).astype(np.uint8)


@pytest.mark.parametrize("mode", MODES)
def test_nothing_changes_at_the_engines_own_size(mode: FitMode) -> None:
    labels = np.random.default_rng(0).integers(0, 5, (40, 60)).astype(np.uint8)
    assert np.array_equal(smooth_labels_to_frame(Fit(mode, (40, 60), (40, 60)), labels), labels)


@given(
    st.sampled_from(MODES),
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.integers(0, 99),
)
@settings(deadline=None, max_examples=150)
def test_a_pixel_has_the_class_of_one_of_its_four_cells(
    mode: FitMode, frame_hw: tuple[int, int], grid_hw: tuple[int, int], seed: int
) -> None:
    fit = Fit(mode, frame_hw, grid_hw)
    labels = np.random.default_rng(seed).integers(0, 4, grid_hw).astype(np.uint8)
    frame = smooth_labels_to_frame(fit, labels)
    assert frame.shape == frame_hw
    rows, columns = fit.seen
    height, width = fit.content_hw
    y, x = np.mgrid[rows, columns]
    inside_x = (x + 0.5 - columns.start) * width / fit.seen_hw[1]
    inside_y = (y + 0.5 - rows.start) * height / fit.seen_hw[0]
    matches = np.zeros(fit.seen_hw, np.bool_)
    for shift_y in (-0.5, 0.5):
        for shift_x in (-0.5, 0.5):
            row = np.clip(np.floor(inside_y + shift_y), 0, height - 1).astype(int)
            column = np.clip(np.floor(inside_x + shift_x), 0, width - 1).astype(int)
            matches |= labels[row, column] == frame[fit.seen]
    assert matches.all()
    outside = np.ones(frame_hw, np.bool_)
    outside[fit.seen] = False
    assert (frame[outside] == VOID).all()


@pytest.mark.parametrize("cell_px", [2.5, 3.75])
@pytest.mark.parametrize("slope", [0.0, 0.13, 0.5, 1.0, -0.7])
def test_a_border_lies_where_the_true_one_does(cell_px: float, slope: float) -> None:
    grid_hw = 72, 96
    height, width = round(96 * cell_px), round(128 * cell_px)
    fit = Fit("stretch", (height, width), grid_hw)
    offsets = []
    # A grid rounds a border to its cells, and pixels to pixels: all places are tried.
    for shift_px in np.arange(24) / 6 * cell_px:
        middle = 0.45 * height + shift_px + slope * (np.arange(width) + 0.5 - width / 2)
        truth = (np.arange(height)[:, None] + 0.5 > middle).astype(np.uint8)
        smooth = smooth_labels_to_frame(fit, on_grid(truth, grid_hw))
        crossed = (middle > 10) & (middle < height - 10)
        # Counted down the columns, the border's row is the number of pixels above it.
        offsets.append(((height - smooth.sum(axis=0)) - middle)[crossed])
    off_px = np.concatenate(offsets)
    assert abs(float(off_px.mean())) < 0.1 * cell_px
    assert float(np.abs(off_px).max()) < 1.1 * cell_px * max(1, abs(slope))


def test_borders_are_nearer_the_truth_than_stairs() -> None:
    scores = {"smooth": 0, "nearest": 0}
    edges: dict[str, list[BoundaryCounts]] = {"smooth": [], "nearest": []}
    fit = Fit("stretch", (720, 1280), (288, 512))
    for seed in (1, 4):
        truth = DemoDrive(seed, 1280, 720).render(200)[1]
        grid = on_grid(truth, (288, 512))
        results = {
            "smooth": smooth_labels_to_frame(fit, grid), "nearest": fit.labels_to_frame(grid)
        }  # fmt: skip
        for name, labels in results.items():
            scores[name] = scores[name] + confusion_counts(truth, labels, 11)
            edges[name].append(boundary_counts(truth, labels, 11, tolerance=1.01 / 1469))
    iou = {name: mean_iou(counts) for name, counts in scores.items()}
    f_score = {name: mean_of(boundary_f_score(one + two)) for name, (one, two) in edges.items()}
    assert iou["smooth"] > iou["nearest"] + 0.001
    assert f_score["smooth"] > f_score["nearest"] + 0.003


def test_thin_lines_stay_whole() -> None:
    labels = np.zeros((40, 60), np.uint8)
    labels[:, 20] = 3
    labels[15] = 5
    frame = smooth_labels_to_frame(Fit("stretch", (100, 150), (40, 60)), labels)
    assert (frame[:36] == 3).any(axis=1).all()
    assert (frame == 5).any(axis=0).all()
    assert set(np.unique(frame)) == {0, 3, 5}


def test_a_wrong_size_is_named() -> None:
    with pytest.raises(DataError, match=r"\[10, 12\]"):
        smooth_labels_to_frame(Fit("stretch", (100, 150), (40, 60)), np.zeros((10, 12), np.uint8))
