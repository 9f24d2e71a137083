"""What instance networks learn, against plain formulas."""

from __future__ import annotations

import numpy as np

from rtseg.instances.deep_watershed import DeepWatershedConfig, deep_watershed
from rtseg.instances.targets import (
    ENERGY_BOUNDS_PX,
    ENERGY_LEVELS,
    distance_and_direction,
    energy_levels,
    object_weights,
    touching_borders,
)


def blobs() -> np.ndarray:
    """A rectangle, a neighbour that touches it, and a disc apart; ids as a drive has them."""
    ids = np.zeros((60, 90), np.uint16)
    ids[5:35, 3:25] = 700
    ids[5:35, 25:50] = 9
    rows, columns = np.mgrid[:60, :90]
    ids[(rows - 40) ** 2 + (columns - 70) ** 2 < 15**2] = 41234
    return ids


def brute_force(ids: np.ndarray) -> np.ndarray:
    distance = np.zeros(ids.shape)
    for number in np.unique(ids[ids > 0]):
        inside, outside = np.argwhere(ids == number), np.argwhere(ids != number)
        gaps = np.linalg.norm(inside[:, None] - outside[None], axis=-1)
        distance[ids == number] = gaps.min(axis=1)
    return distance


def test_distance_is_that_to_the_nearest_pixel_of_something_else() -> None:
    ids = blobs()
    distance, _ = distance_and_direction(ids)
    np.testing.assert_allclose(distance, brute_force(ids), atol=0.35)
    assert (distance[ids == 0] == 0).all()
    assert distance[20, 24] == 1
    assert distance[20, 25] == 1


def test_directions_are_unit_vectors_away_from_the_edge() -> None:
    ids = blobs()
    distance, direction = distance_and_direction(ids)
    length = np.hypot(*direction)
    np.testing.assert_allclose(length[ids > 0], 1, atol=1e-5)
    assert (length[ids == 0] == 0).all()
    np.testing.assert_allclose(direction[:, 20, 4], [1, 0], atol=1e-6)  # left edge: to the right
    np.testing.assert_allclose(direction[:, 20, 23], [-1, 0], atol=1e-6)  # to the neighbour: left
    np.testing.assert_allclose(direction[:, 6, 14], [0, 1], atol=1e-6)  # upper edge: down
    rows, columns = np.nonzero((ids == 41234) & (distance > 2) & (distance < 10))
    inward = np.stack([70 - columns, 40 - rows], axis=1).astype(float)
    inward /= np.linalg.norm(inward, axis=1, keepdims=True)
    cosines = (direction[:, rows, columns].T * inward).sum(axis=1)
    assert cosines.min() > 0.85  # pixels of the edge form stairs
    assert cosines.mean() > 0.97


def test_the_pictures_edge_is_no_edge_of_an_object() -> None:
    ids = np.zeros((20, 20), np.uint16)
    ids[:, :10] = 5
    distance, direction = distance_and_direction(ids)
    np.testing.assert_array_equal(distance[7, :10], np.arange(10, 0, -1))
    np.testing.assert_allclose(direction[0, :, :10], -1, atol=1e-6)


def test_an_object_that_fills_the_picture_has_no_edge() -> None:
    distance, direction = distance_and_direction(np.full((6, 9), 3, np.uint16))
    assert (distance == 9).all()
    assert (direction == 0).all()


def test_nothing_gives_nothing() -> None:
    distance, direction = distance_and_direction(np.zeros((6, 9), np.uint16))
    assert not distance.any()
    assert not direction.any()
    assert not touching_borders(np.zeros((6, 9), np.uint16)).any()


def test_levels_count_the_bounds_that_are_reached() -> None:
    assert ENERGY_LEVELS == 16
    distance = np.array([[0, 1, 1.99, 2, 2.5, 3, 63.9, 64, 500]], np.float32)
    assert energy_levels(distance).tolist() == [[0, 0, 0, 1, 1, 2, 14, 15, 15]]
    assert list(ENERGY_BOUNDS_PX) == sorted(set(ENERGY_BOUNDS_PX))


def test_true_energy_gives_the_objects_back() -> None:
    ids = blobs()
    labels = np.where(ids > 0, 8, 3).astype(np.uint8)
    energy = energy_levels(distance_and_direction(ids)[0])
    found = deep_watershed(labels, energy, (8,), DeepWatershedConfig())
    assert len(found) == 3
    for number in np.unique(ids[ids > 0]):
        mine = np.bincount(found.ids[ids == number]).argmax()
        same = (found.ids == mine) & (ids == number)
        assert same.sum() / ((found.ids == mine) | (ids == number)).sum() > 0.95


def test_weights_make_small_objects_count_more() -> None:
    ids = np.zeros((20, 20), np.uint16)
    ids[:2, :2], ids[10:20, :10] = 7, 300
    weights = object_weights(ids)
    assert weights[0, 0] == np.float32(0.5)
    assert weights[15, 5] == np.float32(0.1)
    assert weights[5, 15] == 0


def test_borders_are_where_two_objects_are_near() -> None:
    border = touching_borders(blobs(), 3)
    assert border[20, 24]
    assert border[20, 25]
    assert not border[20, 23]
    assert not border[20, 26]
    assert not border[20, 3]
    assert not border[40, 55:86].any()  # the disc is alone
    gap = np.zeros((5, 9), np.uint16)
    gap[:, :4], gap[:, 5:] = 1, 2
    assert touching_borders(gap, 3)[2].tolist() == [False] * 4 + [True] + [False] * 4
    assert touching_borders(gap, 5)[2].sum() == 3
