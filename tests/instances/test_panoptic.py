"""The panoptic merge, and ids that last from picture to picture."""

from __future__ import annotations

import numpy as np
import pytest

from rtseg.classes import VOID
from rtseg.errors import DataError
from rtseg.instances.components import connected_instances
from rtseg.instances.instance_map import InstanceMap, empty_map
from rtseg.instances.panoptic import panoptic_merge
from rtseg.instances.tracking import InstanceTracks

CAR, PERSON, ROAD, SKY = 8, 9, 3, 0


def one_object(mask: np.ndarray, class_id: int) -> InstanceMap:
    return InstanceMap(
        mask.astype(np.uint16), np.array([class_id], np.uint8), np.ones(1, np.float32)
    )


def test_objects_stand_above_the_class_map_and_the_rest_of_their_class_is_void() -> None:
    labels = np.full((4, 8), ROAD, np.uint8)
    labels[0] = SKY
    labels[1:3, :4] = CAR
    mask = np.zeros((4, 8), bool)
    mask[1:3, 1:5] = True
    classes, ids = panoptic_merge(labels, one_object(mask, PERSON), (CAR, PERSON))
    assert (classes[mask] == PERSON).all()
    assert np.array_equal(ids > 0, mask)
    assert classes[1:3, 0].tolist() == [VOID, VOID]
    assert (classes[0] == SKY).all()
    assert (classes[3] == ROAD).all()


def test_small_stuff_is_void_and_small_objects_are_not() -> None:
    labels = np.full((10, 10), ROAD, np.uint8)
    labels[0, :3] = SKY
    labels[5, :3] = CAR
    found = connected_instances(labels, (CAR,), min_area_px=1)
    classes, ids = panoptic_merge(labels, found, (CAR,), least_stuff_px=4)
    assert (classes[0, :3] == VOID).all()
    assert (classes[5, :3] == CAR).all()
    assert (ids[5, :3] == 1).all()


def test_the_merge_owns_its_maps() -> None:
    labels, found = np.full((3, 3), ROAD, np.uint8), empty_map(3, 3)
    classes, ids = panoptic_merge(labels, found, (CAR,))
    classes[:], ids[:] = 1, 1
    assert (labels == ROAD).all()
    assert (found.ids == 0).all()
    with pytest.raises(DataError, match=r"\[3, 3\] but the objects \[2, 2\]"):
        panoptic_merge(labels, empty_map(2, 2), (CAR,))


def moved(*boxes: tuple[int, int], class_id: int = CAR) -> InstanceMap:
    """Objects ten rows high from the first column to the last."""
    ids = np.zeros((10, 80), np.uint16)
    for number, (left, right) in enumerate(boxes, 1):
        ids[:, left:right] = number
    count = len(boxes)
    return InstanceMap(ids, np.full(count, class_id, np.uint8), np.ones(count, np.float32))


def test_ids_follow_objects_that_overlap() -> None:
    tracks = InstanceTracks()
    first = tracks.follow(moved((0, 20), (30, 50)))
    one, two = first[0, 5], first[0, 40]
    second = tracks.follow(moved((34, 54), (4, 24), (60, 70)))  # numbered the other way round
    assert second[0, 10] == one
    assert second[0, 45] == two
    assert second[0, 65] not in (0, one, two)
    assert second[0, 0] == 0


def test_the_larger_overlap_wins_and_the_other_is_new() -> None:
    tracks = InstanceTracks()
    whole = tracks.follow(moved((0, 40)))[0, 0]
    parts = tracks.follow(moved((0, 12), (12, 40)))
    assert parts[0, 30] == whole
    assert parts[0, 5] not in (0, whole)


def test_another_class_or_too_little_overlap_is_another_object() -> None:
    tracks = InstanceTracks()
    car = tracks.follow(moved((0, 20)))[0, 5]
    person = tracks.follow(moved((0, 20), class_id=PERSON))[0, 5]
    assert person != car
    assert tracks.follow(moved((18, 38), class_id=PERSON))[0, 20] != person


def test_a_picture_without_objects_and_a_new_size_start_over() -> None:
    tracks = InstanceTracks()
    tracks.follow(moved((0, 20)))
    assert not tracks.follow(moved()).any()
    assert tracks.follow(moved((0, 20)))[0, 5] == 2
    assert tracks.follow(empty_map(5, 5)).shape == (5, 5)


def test_ids_in_use_are_not_given_again_when_they_start_over() -> None:
    tracks = InstanceTracks()
    tracks._last = 65533
    first = tracks.follow(moved((0, 20), (30, 50)))
    assert sorted({int(n) for n in np.unique(first)}) == [0, 65534, 65535]
    second = tracks.follow(moved((0, 20), (30, 50), (60, 70)))
    assert second[0, 65] == 1
    assert second[0, 5] == 65534
