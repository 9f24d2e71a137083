"""The geometry between frames and an engine's input, over all sizes and all ways."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtseg.classes import VOID
from rtseg.errors import DataError, UnknownNameError
from rtseg.fit import MEAN_BGR, Fit, FitMode, choose_fit, default_engine_hw

MODES: tuple[FitMode, ...] = ("stretch", "letterbox", "crop")
SIDES = st.integers(1, 4000)
SIZES = st.tuples(SIDES, SIDES)
FITS = st.builds(Fit, st.sampled_from(MODES), SIZES, SIZES)


@given(FITS, st.data())
@settings(deadline=None, max_examples=300)
def test_points_come_back(fit: Fit, data: st.DataObject) -> None:
    x = data.draw(st.floats(0, fit.frame_hw[1]))
    y = data.draw(st.floats(0, fit.frame_hw[0]))
    assert fit.to_frame(*fit.to_engine(x, y)) == pytest.approx((x, y), abs=1e-6)


@given(FITS)
@settings(deadline=None, max_examples=300)
def test_what_the_engine_sees_fills_its_part_of_the_input(fit: Fit) -> None:
    rows, columns = fit.seen
    assert 0 <= rows.start < rows.stop <= fit.frame_hw[0]
    assert 0 <= columns.start < columns.stop <= fit.frame_hw[1]
    assert fit.to_engine(columns.start, rows.start) == (0, 0)
    height, width = fit.content_hw
    assert fit.to_engine(columns.stop, rows.stop) == pytest.approx((width, height))
    assert 1 <= height <= fit.engine_hw[0]
    assert 1 <= width <= fit.engine_hw[1]


@given(st.sampled_from(("letterbox", "crop")), SIZES, SIZES)
@settings(deadline=None, max_examples=300)
def test_proportions_are_kept_to_half_a_pixel(
    mode: FitMode, frame_hw: tuple[int, int], engine_hw: tuple[int, int]
) -> None:
    fit = Fit(mode, frame_hw, engine_hw)
    wanted, got = (frame_hw, fit.content_hw) if mode == "letterbox" else (engine_hw, fit.seen_hw)
    # One side fills what it lies in; the other is rounded, to one pixel at the least.
    off = [abs(got[i] - max(1, wanted[i] * got[1 - i] / wanted[1 - i])) for i in (0, 1)]
    assert min(off) <= 0.5 + 1e-9


@given(FITS, st.data())
@settings(deadline=None, max_examples=200)
def test_a_label_lands_on_its_scene_point(fit: Fit, data: st.DataObject) -> None:
    """Labels that number the input's rows or columns say where each frame pixel got its own."""
    height, width = fit.engine_hw
    # One row or column tells all, as the axes are separate; 250 distinct marks suffice for it.
    axis = data.draw(st.sampled_from((0, 1)))
    length = fit.content_hw[axis]
    start = data.draw(st.integers(0, max(0, length - 250)))
    marks = np.full(fit.engine_hw[axis], 254, np.uint8)
    marks[start : start + 250] = np.arange(len(marks[start : start + 250]))
    labels = np.broadcast_to(marks[:, None] if axis == 0 else marks, (height, width))
    frame = fit.labels_to_frame(labels)
    rows, columns = fit.seen
    middle = (rows.start + rows.stop) // 2, (columns.start + columns.stop) // 2
    line = frame[:, middle[1]] if axis == 0 else frame[middle[0]]
    for place in np.flatnonzero(line < 250):
        point = (0.0, place + 0.5) if axis == 0 else (place + 0.5, 0.0)
        inside = fit.to_engine(*point)[1 - axis]
        assert abs(start + int(line[place]) + 0.5 - inside) <= 0.5 + 1e-9


@given(FITS)
@settings(deadline=None, max_examples=60)
def test_outside_a_crop_is_void_and_nothing_else(fit: Fit) -> None:
    frame = fit.labels_to_frame(np.zeros(fit.engine_hw, np.uint8))
    rows, columns = fit.seen
    assert not frame[rows, columns].any()
    num_outside = frame.size - frame[rows, columns].size
    assert np.count_nonzero(frame == VOID) == num_outside
    assert fit.mode == "crop" or num_outside == 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("frame_hw", "engine_hw"),
    [
        ((720, 1280), (288, 512)), ((721, 1283), (360, 480)), ((90, 160), (256, 512)),
        ((1080, 1920), (288, 512)), ((1001, 333), (360, 480)), ((540, 960), (288, 512)),
    ],
)  # fmt: skip
def test_a_feature_lies_where_the_point_says(
    mode: FitMode, frame_hw: tuple[int, int], engine_hw: tuple[int, int]
) -> None:
    fit = Fit(mode, frame_hw, engine_hw)
    height, width = frame_hw
    y, x = np.mgrid[:height, :width]
    centre = 0.45 * width, 0.55 * height
    size = max(3.0, min(frame_hw) / 20)
    blob = np.exp(-(((x + 0.5 - centre[0]) ** 2 + (y + 0.5 - centre[1]) ** 2) / (2 * size**2)))
    image = np.repeat((255 * blob).astype(np.uint8)[..., None], 3, axis=2)
    seen = fit.apply(image)[: fit.content_hw[0], : fit.content_hw[1], 0].astype(np.float64)
    y, x = np.mgrid[: seen.shape[0], : seen.shape[1]]
    found = [float((seen * (axis + 0.5)).sum() / seen.sum()) for axis in (x, y)]
    assert found == pytest.approx(fit.to_engine(*centre), abs=0.05)


def test_shrinking_averages_rather_than_picks() -> None:
    checks = np.indices((720, 1280)).sum(axis=0) % 2 * 200
    image = np.repeat(checks.astype(np.uint8)[..., None], 3, axis=2)
    small = Fit("stretch", (720, 1280), (288, 512)).apply(image)
    assert abs(float(small.mean()) - 100) < 2
    assert float(small.std()) < 30


def test_bars_are_the_mean_colour_and_lie_right_or_below() -> None:
    image = np.full((100, 200, 3), 7, np.uint8)
    below = Fit("letterbox", (100, 200), (160, 160)).apply(image)
    assert (below[:80] == 7).all()
    assert (below[80:] == MEAN_BGR).all()
    right = Fit("letterbox", (200, 100), (160, 160)).apply(np.full((200, 100, 3), 7, np.uint8))
    assert (right[:, :80] == 7).all()
    assert (right[:, 80:] == MEAN_BGR).all()


@pytest.mark.parametrize("mode", MODES)
def test_a_buffer_is_filled_whole(mode: FitMode) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (97, 211, 3)).astype(np.uint8)
    before = image.copy()
    fit = Fit(mode, (97, 211), (64, 96))
    buffer = np.full((64, 96, 3), 200, np.uint8)
    assert fit.apply(image, out=buffer) is buffer
    assert np.array_equal(buffer, fit.apply(image))
    assert np.array_equal(image, before)


def test_same_size_changes_nothing_and_shares_nothing() -> None:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (48, 64, 3)).astype(np.uint8)
    for mode in MODES:
        result = Fit(mode, (48, 64), (48, 64)).apply(image)
        assert np.array_equal(result, image)
        assert not np.shares_memory(result, image)


def test_nearest_agrees_with_opencv_where_that_is_exact() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 19, (60, 80)).astype(np.uint8)
    frame = Fit("stretch", (180, 400), (60, 80)).labels_to_frame(labels)
    expected = cv2.resize(labels, (400, 180), interpolation=cv2.INTER_NEAREST_EXACT)
    assert np.array_equal(frame, expected)


def test_wrong_sizes_and_modes_are_named() -> None:
    fit = Fit("stretch", (20, 30), (10, 10))
    with pytest.raises(DataError, match=r"the image is \[30, 20, 3\]"):
        fit.apply(np.zeros((30, 20, 3), np.uint8))
    with pytest.raises(DataError, match="the class map"):
        fit.labels_to_frame(np.zeros((20, 30), np.uint8))
    with pytest.raises(DataError, match="the buffer"):
        fit.apply(np.zeros((20, 30, 3), np.uint8), out=np.zeros((20, 30, 3), np.uint8))
    with pytest.raises(UnknownNameError, match="'letterbox'"):
        Fit("leterbox", (20, 30), (10, 10))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="1x1"):
        Fit("crop", (20, 0), (10, 10))


@pytest.mark.parametrize(
    ("frame_hw", "mode"),
    [
        ((720, 1280), "stretch"), ((540, 960), "stretch"), ((726, 1280), "stretch"),
        ((360, 480), "letterbox"), ((1280, 720), "letterbox"),
    ],
)  # fmt: skip
def test_auto_keeps_the_proportions(frame_hw: tuple[int, int], mode: str) -> None:
    assert choose_fit("auto", frame_hw, (288, 512)) == Fit(mode, frame_hw, (288, 512))  # type: ignore[arg-type]
    assert choose_fit("crop", frame_hw, (288, 512)).mode == "crop"


@pytest.mark.parametrize(
    ("frame_hw", "engine_hw"),
    [
        ((720, 1280), (288, 512)), ((540, 960), (288, 512)), ((1280, 720), (512, 288)),
        ((360, 480), (360, 480)), ((1536, 2048), (360, 480)), ((1024, 2048), (288, 576)),
    ],
)  # fmt: skip
def test_default_sizes(frame_hw: tuple[int, int], engine_hw: tuple[int, int]) -> None:
    assert default_engine_hw(frame_hw, (360, 480)) == engine_hw


@given(st.tuples(st.integers(48, 4000), st.integers(48, 4000)))
@settings(deadline=None, max_examples=300)
def test_default_sizes_are_about_as_large_as_the_trained_one(frame_hw: tuple[int, int]) -> None:
    height, width = default_engine_hw(frame_hw, (360, 480))
    assert height % 8 == width % 8 == 0
    assert 0.6 <= height * width / (360 * 480) <= 1.4
    # Multiples of 8 are coarse beside the short side of a long, thin picture.
    tolerance = 0.02 + 5 / min(height, width)
    assert width / height == pytest.approx(frame_hw[1] / frame_hw[0], rel=tolerance)
