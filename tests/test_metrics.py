"""The measures, against cases counted by hand and against another project's published figures."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rtseg.classes import VOID
from rtseg.errors import DataError
from rtseg.metrics import (
    BoundaryCounts,
    TemporalCounts,
    boundary_counts,
    boundary_f_score,
    class_accuracy,
    class_shares,
    confusion_counts,
    frequency_weighted_iou,
    iou,
    mean_class_accuracy,
    mean_iou,
    mean_of,
    pixel_accuracy,
    temporal_consistency,
    temporal_counts,
)

K = 4
Ids = npt.NDArray[np.uint8]
SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)


def maps(shape: tuple[int, ...], void: bool = True) -> st.SearchStrategy[Ids]:
    ids = [0, 1, 2, 3, VOID] if void else [0, 1, 2, 3]
    return arrays.arrays(np.uint8, shape, elements=st.sampled_from(ids))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Ids, Ids]:
    shape = draw(SHAPES)
    return draw(maps(shape)), draw(maps(shape))


def ids(*rows: list[int]) -> Ids:
    return np.array(rows, np.uint8)


def test_a_confusion_by_hand() -> None:
    truth = ids([0, 0, 1], [1, 2, VOID])
    prediction = ids([0, 1, 1], [VOID, 0, 2])
    confusion = confusion_counts(truth, prediction, 4)
    assert confusion.tolist() == [
        [1, 1, 0, 0, 0],
        [0, 1, 0, 0, 1],  # a void prediction on a labelled pixel is an error
        [1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ]  # and the prediction on the void pixel counts nowhere
    assert confusion.dtype == np.int64
    np.testing.assert_allclose(iou(confusion), [1 / 3, 1 / 3, 0, math.nan])
    np.testing.assert_allclose(class_accuracy(confusion), [1 / 2, 1 / 2, 0, math.nan])
    np.testing.assert_allclose(class_shares(confusion), [0.4, 0.4, 0.2, 0])
    assert mean_iou(confusion) == pytest.approx(2 / 9)
    assert mean_class_accuracy(confusion) == pytest.approx(1 / 3)
    assert pixel_accuracy(confusion) == pytest.approx(2 / 5)
    assert frequency_weighted_iou(confusion) == pytest.approx(0.8 / 3)


def test_a_class_that_is_only_predicted_scores_nought() -> None:
    confusion = confusion_counts(ids([0, 0]), ids([0, 1]), 3)
    np.testing.assert_array_equal(iou(confusion), [0.5, 0, math.nan])
    np.testing.assert_array_equal(class_accuracy(confusion), [0.5, math.nan, math.nan])
    assert mean_iou(confusion) == 0.25


def test_nothing_labelled_is_nan_and_no_warning() -> None:
    confusion = confusion_counts(ids([VOID]), ids([0]), 2)
    for measure in (mean_iou, mean_class_accuracy, pixel_accuracy, frequency_weighted_iou):
        assert math.isnan(measure(confusion))


def test_all_255_classes_fit() -> None:
    truth = np.arange(256, dtype=np.uint8)
    confusion = confusion_counts(truth, truth, 255)
    assert confusion.shape == (255, 256)
    assert np.array_equal(confusion[:, :255], np.eye(255))


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.uint16])
def test_predictions_of_any_integer_type_count(dtype: type) -> None:
    prediction = np.array([0, 1, -1 if np.issubdtype(dtype, np.signedinteger) else 300], dtype)
    confusion = confusion_counts(ids([0, 0, 0])[0], prediction, 2)
    assert confusion.tolist() == [[1, 1, 1], [0, 0, 0]]


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        (ids([0, 0]), ids([0], [0]), r"truth is \(1, 2\) but prediction \(2, 1\)"),
        (ids([0, 7]), ids([0, 0]), "the truth holds id 7; 0 to 3 and 255"),
        (np.array([[-1]]), ids([0]), "the truth holds id -1"),
        (np.array([[256]]), ids([0]), "the truth holds id 256"),
    ],
)
def test_what_makes_no_confusion_is_refused(
    truth: npt.NDArray[np.integer], prediction: Ids, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        confusion_counts(truth, prediction, K)


def test_a_table_of_another_shape_is_refused() -> None:
    with pytest.raises(DataError, match=r"not \[2, 5\]"):
        iou(np.zeros((2, 5), np.int64))


@given(pairs())
def test_counts_agree_with_a_loop(pair: tuple[Ids, Ids]) -> None:
    truth, prediction = pair
    expected = np.zeros((K, K + 1), np.int64)
    for true, predicted in zip(truth.ravel(), prediction.ravel(), strict=True):
        if true != VOID:
            expected[true, min(predicted, K)] += 1
    assert np.array_equal(confusion_counts(truth, prediction, K), expected)


@given(SHAPES.flatmap(lambda shape: maps(shape, void=False)))
def test_a_perfect_prediction_scores_one(truth: Ids) -> None:
    confusion = confusion_counts(truth, truth, K)
    assert mean_iou(confusion) == mean_class_accuracy(confusion) == 1
    assert pixel_accuracy(confusion) == 1
    assert frequency_weighted_iou(confusion) == pytest.approx(1)


@given(pairs(), st.permutations(range(K)))
def test_permuting_the_classes_permutes_the_scores(pair: tuple[Ids, Ids], order: list[int]) -> None:
    table = np.full(256, VOID, np.uint8)
    table[:K] = order
    before = confusion_counts(*pair, K)
    after = confusion_counts(table[pair[0]], table[pair[1]], K)
    np.testing.assert_array_equal(iou(after)[order], iou(before))
    np.testing.assert_array_equal(class_accuracy(after)[order], class_accuracy(before))
    assert pixel_accuracy(after) == pytest.approx(pixel_accuracy(before), nan_ok=True)
    edges = boundary_f_score(boundary_counts(*pair, K, tolerance=0.1))
    moved = boundary_f_score(boundary_counts(table[pair[0]], table[pair[1]], K, tolerance=0.1))
    np.testing.assert_array_equal(moved[order], edges)


@given(pairs())
def test_iou_never_exceeds_accuracy(pair: tuple[Ids, Ids]) -> None:
    confusion = confusion_counts(*pair, K)
    present = class_shares(confusion) > 0
    assert (iou(confusion)[present] <= class_accuracy(confusion)[present]).all()


def square(shift_px: int) -> Ids:
    """A 10x10 square in a picture of 30x40, whose diagonal is 50 px."""
    labels = np.zeros((30, 40), np.uint8)
    labels[10:20, 10 + shift_px : 20 + shift_px] = 1
    return labels


@pytest.mark.parametrize(
    ("shift_px", "reach_px", "outside", "inside"),
    [
        (0, 0, 40, 36),
        # Without tolerance the rows of the ring overlap in 9 (outside: 9) pixels each.
        (1, 0, 18, 18),
        (1, 1, 40, 36),
        # 7 pixels of each row overlap, one more is 1 px off, and so are two of the right column.
        (3, 1, 18, 18),
        (3, 3, 40, 36),
    ],
)
def test_the_boundary_of_a_shifted_square(
    shift_px: int, reach_px: int, outside: int, inside: int
) -> None:
    counts = boundary_counts(square(0), square(shift_px), 3, tolerance=reach_px / 50)
    assert counts.truth.tolist() == counts.predicted.tolist() == [40, 36, 0]
    assert counts.truth_matched.tolist() == [outside, inside, 0]
    assert counts.predicted_matched.tolist() == [outside, inside, 0]
    np.testing.assert_allclose(boundary_f_score(counts), [outside / 40, inside / 36, math.nan])


def test_boundary_scores_are_those_of_the_summed_counts() -> None:
    near = boundary_counts(square(0), square(1), 2, tolerance=0)
    missed = boundary_counts(square(0), np.zeros_like(square(0)), 2, tolerance=0)
    assert boundary_f_score(missed).tolist() == [0, 0]
    both = near + missed
    assert both.truth.tolist() == [80, 72]
    # Inside: precision 18/36, recall 18/72.
    assert boundary_f_score(both)[1] == pytest.approx(2 * 0.5 * 0.25 / 0.75)


def test_the_edge_of_the_picture_is_no_boundary() -> None:
    everything_road = np.zeros((20, 20), np.uint8)
    scores = boundary_f_score(boundary_counts(everything_road, everything_road, 2))
    assert np.isnan(scores).all()
    assert math.isnan(mean_of(scores))


def test_void_hides_the_boundaries_below_it() -> None:
    truth = square(0)
    truth[8:22, 8:13] = VOID  # over the square's left side
    prediction = square(0)
    prediction[8:22, 8:13] = 2  # whatever is said there
    counts = boundary_counts(truth, prediction, 3, tolerance=2 / 50)
    assert boundary_f_score(counts)[:2].tolist() == [1, 1]
    assert counts.predicted[2] == 0
    assert counts.truth.tolist() == [7 + 7 + 10, 7 + 7 + 8, 0]


@given(SHAPES.flatmap(maps), st.floats(0, 0.3))
def test_a_perfect_prediction_has_perfect_boundaries(truth: Ids, tolerance: float) -> None:
    prediction = np.where(truth == VOID, 0, truth).astype(np.uint8)
    counts = boundary_counts(truth, prediction, K, tolerance)
    assert np.array_equal(counts.predicted, counts.predicted_matched)
    assert np.array_equal(counts.truth, counts.truth_matched)


def test_boundary_counts_need_pictures_of_one_size() -> None:
    with pytest.raises(DataError, match=r"both \[H, W\]"):
        boundary_counts(ids([0, 0]), ids([0, 0, 0]), 2)


def test_temporal_consistency_by_hand() -> None:
    truth = ids([0, 0, 1], [1, VOID, 2])
    truth_next = ids([0, 0, 1], [2, VOID, 2])  # one pixel changes its class, one is void
    labels = ids([0, 0, 1], [1, 0, 2])
    labels_next = ids([0, 1, 1], [0, 1, 3])  # of the four that are judged, two stay
    counts = temporal_counts(labels, labels_next, truth, truth_next)
    assert counts == TemporalCounts(2, 4)
    assert temporal_consistency(counts) == 0.5
    assert temporal_counts(labels, labels_next) == TemporalCounts(2, 6)
    assert counts + TemporalCounts(4, 4) == TemporalCounts(6, 8)
    assert math.isnan(temporal_consistency(TemporalCounts()))


def test_temporal_consistency_needs_two_truths_or_none() -> None:
    labels = ids([0])
    with pytest.raises(DataError, match="the truth of both or of neither"):
        temporal_counts(labels, labels, labels, None)
    with pytest.raises(DataError, match="one size"):
        temporal_counts(labels, ids([0, 0]))


def fixture_maps(folder: Path, name: str) -> Ids:
    labels = cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED)
    assert labels is not None
    return labels.astype(np.uint8)


def test_another_projects_figures_are_reproduced(shared_data: Path) -> None:
    """ESPNet's id maps on CamVid val: its confusion matrix exactly, its scores to two decimals."""
    predictions = shared_data / "metric_fixture" / "camvid_val_pred"
    names = sorted(path.name for path in predictions.glob("*.png"))
    assert len(names) == 101
    confusion = np.zeros((11, 12), np.int64)
    with_void = np.zeros((12, 13), np.int64)
    boundary = None
    for number, name in enumerate(names):
        truth = fixture_maps(shared_data / "camvid" / "valannot", name)
        prediction = fixture_maps(predictions, name)  # 11 is void here
        with_void += confusion_counts(truth, prediction, 12)
        truth[truth == 11] = VOID
        confusion += confusion_counts(truth, prediction, 11)
        if number % 25 == 0:
            counts = boundary_counts(truth, prediction, 11)
            boundary = counts if boundary is None else boundary + counts
    expected = np.load(shared_data / "metric_fixture" / "camvid_val_confusion12.npy")
    assert np.array_equal(with_void[:, :12], expected)
    assert not with_void[:, 12].any()
    assert np.array_equal(confusion, expected[:11])
    assert f"{100 * mean_iou(confusion):.2f}" == "70.10"
    assert f"{100 * mean_class_accuracy(confusion):.2f}" == "79.71"
    assert f"{100 * pixel_accuracy(confusion):.2f}" == "92.68"
    assert isinstance(boundary, BoundaryCounts)
    assert 0.6 < mean_of(boundary_f_score(boundary)) < 0.8
