"""Class counts and weights: by hand, and as they are known for CamVid."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from rtseg.classes import VOID
from rtseg.errors import ConfigError, DataError
from rtseg.training.class_weights import ClassCounts, class_weights, count_classes

MAPS = [
    np.array([[0, 0, 0, 1], [0, 0, 0, VOID]], np.uint8),  # 6 of class 0, 1 of 1, 1 void
    np.array([[1, 1, 2, 2]], np.uint8),
]


def counts() -> ClassCounts:
    return count_classes(MAPS, 4)


def test_pixels_are_counted_by_class_and_picture() -> None:
    assert counts().pixels.tolist() == [6, 3, 2, 0]
    assert counts().pixels_where_present.tolist() == [8, 12, 4, 0]
    assert counts().pictures.tolist() == [1, 2, 1, 0]


def test_enet_weights_follow_their_formula() -> None:
    shares = np.array([6, 3, 2]) / 11
    expected = [*(1 / np.log(1.02 + shares)), 0]
    np.testing.assert_allclose(counts().enet_weights(), expected)


def test_median_frequency_weights_follow_their_formula() -> None:
    # frequencies 6/8, 3/12, 2/4: the median is 1/2
    np.testing.assert_allclose(counts().median_frequency_weights(), [2 / 3, 2, 1, 0])


def test_nothing_counted_weighs_nothing() -> None:
    empty = count_classes([np.full((2, 2), VOID, np.uint8)], 3)
    assert empty.enet_weights().tolist() == [0, 0, 0]
    assert empty.median_frequency_weights().tolist() == [0, 0, 0]


def test_the_weights_of_camvid_are_the_known_ones(shared_data: Path) -> None:
    paths = sorted((shared_data / "camvid" / "trainannot").glob("*.png"))
    maps = (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in paths)
    found = count_classes((np.where(one == 11, VOID, one).astype(np.uint8) for one in maps), 11)
    assert found.pictures.tolist() == [366, 365, 366, 367, 349, 319, 351, 173, 360, 317, 201]
    shares = [17.54, 24.21, 1.02, 32.96, 4.67, 10.12, 1.22, 1.17, 6.11, 0.67, 0.30]
    np.testing.assert_allclose(100 * found.pixels / found.pixels.sum(), shares, atol=0.006)
    enet = [5.60, 4.30, 33.57, 3.34, 15.49, 8.74, 31.54, 32.01, 12.83, 38.01, 43.91]
    np.testing.assert_allclose(found.enet_weights(), enet, atol=0.006)
    median = [0.279, 0.202, 4.787, 0.149, 1, 0.422, 3.847, 1.974, 0.789, 6.375, 8.859]
    np.testing.assert_allclose(found.median_frequency_weights(), median, atol=6e-4)


def test_weights_can_be_named_given_or_left_out() -> None:
    assert class_weights("none", 4, None) is None
    assert class_weights(None, 4, counts()) is None
    assert class_weights([1.0, 0.0, 2.5], 3, None) == [1.0, 0.0, 2.5]
    assert class_weights("median_frequency", 4, counts()) == pytest.approx([2 / 3, 2, 1, 0])
    assert class_weights("enet", 4, counts()) == pytest.approx(counts().enet_weights().tolist())


@pytest.mark.parametrize(
    ("weighting", "message"),
    [
        ("enett", "allowed are none, enet, median_frequency, or a list"),
        ("enet", "classes were not counted"),
        ([1.0, 2.0], "has 2 numbers; the data set has 3 classes"),
        ([1.0, -1.0, 1.0], "from 0 up, one above 0"),
        ([0.0, 0.0, 0.0], "from 0 up, one above 0"),
    ],
)
def test_weights_that_can_not_be_had_are_refused(weighting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        class_weights(weighting, 3, None)


def test_labels_out_of_the_table_are_named() -> None:
    with pytest.raises(DataError, match=r"ids \[4, 9\]; allowed are 0 to 3 and 255"):
        count_classes([np.array([[9, 0, 4, VOID]], np.uint8)], 4)


def test_no_labels_are_refused() -> None:
    with pytest.raises(DataError, match="no labels to count"):
        count_classes([], 4)
