"""Average precision and panoptic quality, on cases worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rtseg.classes import VOID
from rtseg.errors import DataError
from rtseg.instance_metrics import (
    THRESHOLDS,
    InstanceMatches,
    average_precisions,
    match_instances,
    mean_average_precision,
    no_matches,
    no_panoptic_counts,
    panoptic_by_class,
    panoptic_counts,
    panoptic_quality,
)
from rtseg.instances.instance_map import InstanceMap, empty_map

ROAD, CAR, PERSON = 0, 1, 2
K, THINGS = 3, (CAR, PERSON)

Box = tuple[int, int]  # columns of a strip of ten rows: a strip 10 wide has 100 pixels
WIDTH = 200


def strips(*boxes: tuple[Box, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Class ids and object ids of ((from, to), class, object); the rest is road."""
    labels = np.zeros((10, WIDTH), np.uint8)
    ids = np.zeros((10, WIDTH), np.uint16)
    for (left, right), class_id, number in boxes:
        labels[:, left:right], ids[:, left:right] = class_id, number
    return labels, ids


def found(*boxes: tuple[Box, int, float]) -> InstanceMap:
    ids = np.zeros((10, WIDTH), np.uint16)
    for number, ((left, right), _, _) in enumerate(boxes, 1):
        ids[:, left:right] = number
    return InstanceMap(
        ids,
        np.array([class_id for _, class_id, _ in boxes], np.uint8),
        np.array([score for *_, score in boxes], np.float32),
    )


def match(
    truth: tuple[np.ndarray, np.ndarray], prediction: InstanceMap, min_area_px: int = 0
) -> InstanceMatches:
    return match_instances(*truth, prediction, K, THINGS, min_area_px)


def test_perfect_objects_have_precision_1() -> None:
    truth = strips(((0, 10), CAR, 900), ((20, 30), CAR, 7), ((50, 60), PERSON, 8))
    matches = match(
        truth, found(((20, 30), CAR, 0.9), ((0, 10), CAR, 0.2), ((50, 60), PERSON, 0.5))
    )
    values = average_precisions(matches)
    assert values.shape == (K, 10)
    assert np.isnan(values[ROAD]).all()
    np.testing.assert_allclose(values[1:], 1)
    assert mean_average_precision(matches) == 1
    assert mean_average_precision(matches, 0.5) == 1


def test_overlap_decides_at_which_thresholds_an_object_is_found() -> None:
    truth = strips(((0, 100), CAR, 1))
    matches = match(truth, found(((0, 72), CAR, 1)))  # IoU 0.72
    assert matches.outcomes[0].tolist() == [1] * 5 + [0] * 5
    assert mean_average_precision(matches) == pytest.approx(0.5)
    assert mean_average_precision(matches, 0.7) == 1
    assert mean_average_precision(matches, 0.75) == 0


def test_an_overlap_of_exactly_the_threshold_is_none() -> None:
    matches = match(strips(((0, 100), CAR, 1)), found(((0, 50), CAR, 1)))
    assert matches.outcomes[0].tolist() == [0] * 10


def test_precision_and_recall_by_hand() -> None:
    """Four cars; in the order of scores: found, false, found. Points (recall, precision) are
    (2/4, 2/3), (1/4, 1/2), (1/4, 1), (0, 1); each weighs half the way to both neighbours."""
    truth = strips(*[((20 * n, 20 * n + 10), CAR, n + 1) for n in range(4)])
    prediction = found(((0, 10), CAR, 0.9), ((150, 160), CAR, 0.8), ((20, 30), CAR, 0.7))
    value = mean_average_precision(match(truth, prediction))
    expected = (2 / 3) * (1 / 4) / 2 + (1 / 2) * (1 / 4) / 2 + 1 * (1 / 4) / 2 + 1 * (1 / 4) / 2
    assert value == pytest.approx(expected)


def test_objects_of_one_score_come_in_together_whatever_their_order() -> None:
    truth = strips(((0, 10), CAR, 1), ((20, 30), CAR, 2))
    boxes = [((0, 10), CAR, 0.5), ((100, 110), CAR, 0.5), ((20, 30), CAR, 0.5)]
    values = {
        mean_average_precision(match(truth, found(*order)))
        for order in (boxes, boxes[::-1], boxes[1:] + boxes[:1])
    }
    # One point (1, 2/3), then (0, 1): half the way each.
    assert len(values) == 1
    assert values.pop() == pytest.approx((2 / 3 + 1) / 2)


def test_a_better_score_for_the_right_object_is_better() -> None:
    truth = strips(((0, 10), CAR, 1))

    def value(right: float, wrong: float) -> float:
        return mean_average_precision(
            match(truth, found(((0, 10), CAR, right), ((100, 110), CAR, wrong)))
        )

    assert value(0.9, 0.1) > value(0.5, 0.5) > value(0.1, 0.9)


def test_two_halves_are_no_object_and_a_part_too_much_costs() -> None:
    truth = strips(((0, 40), CAR, 1))
    assert mean_average_precision(match(truth, found(((0, 20), CAR, 1), ((20, 40), CAR, 1)))) == 0
    both = match(truth, found(((0, 30), CAR, 1), ((30, 40), CAR, 1)))
    assert mean_average_precision(both, 0.7) == pytest.approx((1 / 2 + 1) / 2)


def test_the_wrong_class_is_false_and_missed() -> None:
    matches = match(strips(((0, 10), CAR, 1)), found(((0, 10), PERSON, 1)))
    assert matches.objects.tolist() == [0, 1, 0]
    assert matches.outcomes.max() == 0
    assert mean_average_precision(matches) == 0


def test_void_and_groups_of_the_class_spare_an_object_up_to_the_threshold() -> None:
    labels, ids = strips(((0, 10), CAR, 1), ((100, 140), CAR, 0))
    labels[:, 50:57] = VOID
    in_void = found(((0, 10), CAR, 1), ((50, 60), CAR, 0.9))  # 0.7 of it in void
    assert match((labels, ids), in_void).outcomes[1].tolist() == [-1] * 4 + [0] * 6
    in_group = found(((0, 10), CAR, 1), ((110, 120), CAR, 0.9))
    assert match((labels, ids), in_group).outcomes[1].tolist() == [-1] * 10
    assert mean_average_precision(match((labels, ids), in_group)) == 1
    other_class = found(((0, 10), CAR, 1), ((110, 120), PERSON, 0.9))
    assert match((labels, ids), other_class).outcomes[1].tolist() == [0] * 10


def test_void_below_a_matched_object_counts_in_its_union() -> None:
    """As in the benchmark, and unlike panoptic quality."""
    labels, ids = strips(((0, 60), CAR, 1))
    labels[:, 60:100] = VOID
    matches = match((labels, ids), found(((0, 100), CAR, 1)))
    assert matches.outcomes[0].tolist() == [1, 1] + [0] * 8  # IoU 0.6


def test_small_true_objects_are_neither_missed_nor_found() -> None:
    truth = strips(((0, 10), CAR, 1), ((50, 53), CAR, 2))
    judged = match(truth, found(((0, 10), CAR, 1), ((50, 53), CAR, 0.5)), min_area_px=100)
    assert judged.objects[CAR] == 1
    assert mean_average_precision(judged) == 1
    assert mean_average_precision(match(truth, found(((0, 10), CAR, 1)), min_area_px=100)) == 1
    assert mean_average_precision(match(truth, found(((0, 10), CAR, 1)))) == pytest.approx(0.5)


def test_nothing_found_and_nothing_there() -> None:
    truth = strips(((0, 10), CAR, 1))
    assert mean_average_precision(match(truth, empty_map(10, WIDTH))) == 0
    nothing = match(strips(), found(((0, 10), CAR, 1)))
    assert math.isnan(mean_average_precision(nothing))
    assert math.isnan(mean_average_precision(no_matches(K)))
    assert math.isnan(mean_average_precision(match(strips(), empty_map(10, WIDTH))))


def test_pictures_add_up() -> None:
    truth = strips(((0, 10), CAR, 1))
    good, bad = match(truth, found(((0, 10), CAR, 0.9))), match(truth, found(((50, 60), CAR, 0.1)))
    both = no_matches(K) + good + bad
    assert both.objects[CAR] == 2
    assert mean_average_precision(both) == pytest.approx(
        (1 / 2) * 0 + 1 * (1 / 2) / 2 + 1 * (1 / 2) / 2
    )
    assert mean_average_precision(good + bad) == mean_average_precision(bad + good)


def test_thresholds_are_the_benchmarks() -> None:
    assert THRESHOLDS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def test_bad_truth_is_refused() -> None:
    labels, ids = strips(((0, 10), CAR, 5), ((20, 30), PERSON, 5))
    with pytest.raises(DataError, match="the true object 5 has pixels of classes 1, 2"):
        match((labels, ids), empty_map(10, WIDTH))
    with pytest.raises(DataError, match="one \\[H, W\\] only"):
        match((labels, ids), empty_map(3, 3))


def quality(
    truth: tuple[np.ndarray, np.ndarray], prediction: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    return panoptic_by_class(panoptic_counts(*truth, *prediction, K, THINGS))


def test_the_truth_has_panoptic_quality_1() -> None:
    truth = strips(((0, 10), CAR, 900), ((10, 30), CAR, 7), ((50, 60), PERSON, 8))
    assert (quality(truth, truth) == 1).all()
    mean = panoptic_quality(panoptic_counts(*truth, *truth, K, THINGS))
    assert (mean.quality, mean.segmentation, mean.recognition) == (1, 1, 1)


def test_panoptic_quality_by_hand() -> None:
    """Cars: one matched with IoU 0.8, one missed, one too much. Road: 140 of 160 columns."""
    truth = strips(((0, 20), CAR, 1), ((40, 60), CAR, 2))
    prediction = strips(((0, 16), CAR, 1), ((100, 120), CAR, 2))
    values = quality(truth, prediction)
    np.testing.assert_allclose(values[CAR], [0.8 / 2, 0.8, 1 / 2])
    road = 140 / (160 + 164 - 140)
    np.testing.assert_allclose(values[ROAD], [road, road, 1])
    assert np.isnan(values[PERSON]).all()
    counts = panoptic_counts(*truth, *prediction, K, THINGS)
    assert panoptic_quality(counts).quality == pytest.approx((0.4 + road) / 2)
    assert panoptic_quality(counts, THINGS).quality == pytest.approx(0.4)


def test_objects_glued_together_are_one_match_at_the_most() -> None:
    truth = strips(((0, 30), CAR, 1), ((30, 40), CAR, 2))
    counts = panoptic_counts(*truth, *strips(((0, 40), CAR, 5)), K, THINGS)
    assert (counts.matched[CAR], counts.extra[CAR], counts.missed[CAR]) == (1, 0, 1)
    assert counts.overlap[CAR] == pytest.approx(0.75)
    half = strips(((0, 20), CAR, 1), ((20, 40), CAR, 2))
    counts = panoptic_counts(*half, *strips(((0, 40), CAR, 5)), K, THINGS)
    assert (counts.matched[CAR], counts.extra[CAR], counts.missed[CAR]) == (0, 1, 2)


def test_void_counts_in_no_union_and_spares_what_lies_in_it() -> None:
    labels, ids = strips(((0, 20), CAR, 1))
    labels[:, 20:40] = VOID
    counts = panoptic_counts(labels, ids, *strips(((0, 40), CAR, 1)), K, THINGS)
    assert counts.overlap[CAR] == 1
    spared = panoptic_counts(labels, ids, *strips(((25, 45), CAR, 1)), K, THINGS)  # 15 of 20
    assert (spared.extra[CAR], spared.missed[CAR]) == (0, 1)
    half = panoptic_counts(labels, ids, *strips(((30, 50), CAR, 1)), K, THINGS)  # 10 of 20
    assert (half.extra[CAR], half.missed[CAR]) == (1, 1)


def test_a_group_spares_its_own_class_only_and_is_never_missed() -> None:
    truth = strips(((0, 40), CAR, 0))
    counts = panoptic_counts(*truth, *strips(((5, 15), CAR, 1)), K, THINGS)
    assert (counts.extra[CAR], counts.missed[CAR]) == (0, 0)
    counts = panoptic_counts(*truth, *strips(((5, 15), PERSON, 1)), K, THINGS)
    assert counts.extra[PERSON] == 1
    counts = panoptic_counts(*truth, *strips(), K, THINGS)
    assert counts.missed[CAR] == 0


def test_predicted_void_is_no_segment() -> None:
    truth = strips(((0, 20), CAR, 1))
    labels, ids = strips(((0, 20), CAR, 0))  # a countable class without an object
    labels[:, 50:100] = 77  # no class of the table
    counts = panoptic_counts(*truth, labels, ids, K, THINGS)
    assert counts.extra.tolist() == [0, 0, 0]
    assert counts.missed[CAR] == 1
    assert counts.overlap[ROAD] == pytest.approx(130 / 180)


def test_empty_panoptic_counts() -> None:
    nothing = panoptic_quality(no_panoptic_counts(K))
    assert math.isnan(nothing.quality)
    void = np.full((4, 4), VOID, np.uint8)
    ids = np.zeros((4, 4), np.uint16)
    counts = panoptic_counts(void, ids, np.zeros((4, 4), np.uint8), ids, K, THINGS)
    assert counts.extra.tolist() == [0, 0, 0]
    truth = strips(((0, 20), CAR, 1))
    once = panoptic_counts(*truth, *truth, K, THINGS)
    assert (no_panoptic_counts(K) + once + once).matched[CAR] == 2


def test_ids_are_free_numbers() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, K, (20, 30)).astype(np.uint8)
    numbers = labels.astype(np.uint16) * 1000 + rng.integers(1, 9, labels.shape)
    ids = np.where(labels > 0, numbers, 0).astype(np.uint16)
    renamed = np.where(ids > 0, 60000 - ids, 0).astype(np.uint16)
    assert (quality((labels, ids), (labels, renamed)) == 1).all()
