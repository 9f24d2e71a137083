"""Connected parts of countable classes, and parts divided by seeds."""

from __future__ import annotations

import numpy as np
import pytest

from rtseg.classes import CAMVID, CITYSCAPES
from rtseg.errors import DataError
from rtseg.instances.border_watershed import BorderWatershedConfig, border_watershed, flooded
from rtseg.instances.components import connected_instances, nearest_seed
from rtseg.instances.deep_watershed import DeepWatershedConfig, deep_watershed
from rtseg.instances.instance_map import InstanceMap, countable_ids, empty_map

CAR, PERSON = 8, 9
THINGS = (CAR, PERSON)


def street() -> np.ndarray:
    """Two cars that touch (columns 2-7 and 8-17), a person who touches the second."""
    labels = np.full((12, 24), 3, np.uint8)
    labels[3:9, 2:18] = CAR
    labels[2:10, 18:21] = PERSON
    return labels


def test_connected_parts_are_objects_of_their_class() -> None:
    labels = street()
    labels[0, 23] = CAR  # smaller than the least area
    found = connected_instances(labels, THINGS, min_area_px=2)
    assert len(found) == 2
    assert sorted(found.class_ids.tolist()) == [CAR, PERSON]
    for number, class_id in enumerate(found.class_ids, 1):
        where = labels == class_id
        where[0, 23] = False
        assert np.array_equal(found.ids == number, where)
    assert found.scores.tolist() == [1, 1]


def test_diagonal_neighbours_are_one_part() -> None:
    labels = np.where(np.eye(6, dtype=bool), CAR, 0).astype(np.uint8)
    assert len(connected_instances(labels, THINGS, min_area_px=1)) == 1


def test_scores_are_mean_confidence_and_sort_the_objects() -> None:
    labels = street()
    confidence = np.where(labels == PERSON, 0.9, 0.5).astype(np.float32)
    found = connected_instances(labels, THINGS, confidence)
    assert found.class_ids.tolist() == [PERSON, CAR]
    np.testing.assert_allclose(found.scores, [0.9, 0.5], rtol=1e-6)
    assert found.areas.tolist() == [24, 96]


def test_nothing_countable_is_an_empty_map() -> None:
    found = connected_instances(np.zeros((4, 5), np.uint8), THINGS)
    assert len(found) == 0
    assert found.ids.shape == (4, 5)


def test_energy_parts_what_touches() -> None:
    labels = street()
    energy = np.zeros(labels.shape, np.uint8)
    energy[4:8, 3:7] = 1
    energy[4:8, 9:17] = 3
    found = deep_watershed(labels, energy, THINGS, DeepWatershedConfig(min_area_px=1))
    assert sorted(found.class_ids.tolist()) == [CAR, CAR, PERSON]
    assert len(np.unique(found.ids[3:9, 2:8])) == 1
    assert len(np.unique(found.ids[3:9, 8:18])) == 1
    assert found.ids[5, 4] != found.ids[5, 12]
    assert np.array_equal(found.ids > 0, np.isin(labels, THINGS))


def test_a_higher_cut_loses_low_basins_but_no_part_without_any() -> None:
    labels = street()
    energy = np.zeros(labels.shape, np.uint8)
    energy[4:8, 3:7], energy[4:8, 9:17] = 1, 3
    config = DeepWatershedConfig(cut=2, min_area_px=1)
    assert len(deep_watershed(labels, energy, THINGS, config)) == 2  # one of cars, the person
    config = DeepWatershedConfig(cut=9, min_area_px=1)
    assert len(deep_watershed(labels, energy, THINGS, config)) == 2


def test_small_basins_are_noise() -> None:
    labels = street()
    energy = np.zeros(labels.shape, np.uint8)
    energy[4:8, 9:17] = 2
    energy[5, 3] = 2
    config = DeepWatershedConfig(min_seed_px=2, min_area_px=1)
    assert len(deep_watershed(labels, energy, THINGS, config)) == 2


def test_borders_part_what_touches() -> None:
    labels = street()
    border = np.zeros(labels.shape, np.float32)
    border[3:9, 7:9] = 0.9
    found = border_watershed(labels, border, THINGS, BorderWatershedConfig(min_area_px=1))
    assert sorted(found.class_ids.tolist()) == [CAR, CAR, PERSON]
    assert len(np.unique(found.ids[3:9, 2:7])) == 1
    assert len(np.unique(found.ids[3:9, 9:18])) == 1
    assert found.ids[5, 4] != found.ids[5, 12]
    assert np.array_equal(found.ids > 0, np.isin(labels, THINGS))


def test_flooding_meets_on_the_ridge_and_not_half_way() -> None:
    part = np.ones((5, 20), bool)
    seeds = np.zeros(part.shape, np.int32)
    seeds[:, 0], seeds[:, 19] = 1, 2
    heights = np.zeros(part.shape, np.uint8)
    heights[:, 15] = 255
    basins = flooded(part, seeds, heights)
    assert (basins[:, :15] == 1).all()
    assert (basins[:, 16:] == 2).all()
    assert (nearest_seed(part, seeds)[:, 10:] == 2).all()


def test_flooding_leaves_nothing_of_the_part_out_and_takes_nothing_else() -> None:
    rng = np.random.default_rng(3)
    part = rng.random((30, 40)) < 0.8
    seeds = np.zeros(part.shape, np.int32)
    seeds[part & (rng.random(part.shape) < 0.02)] = 1
    seeds[15:][seeds[15:] == 1] = 2
    basins = flooded(part, seeds, rng.integers(0, 255, part.shape).astype(np.uint8))
    assert np.array_equal(basins > 0, part)
    assert (basins[seeds > 0] == seeds[seeds > 0]).all()


def test_other_sizes_are_refused() -> None:
    with pytest.raises(DataError, match=r"seeds are \[3, 3\] but the labels \[12, 24\]"):
        deep_watershed(street(), np.zeros((3, 3), np.uint8), THINGS)


def test_an_id_without_an_entry_is_refused() -> None:
    ids = np.full((2, 2), 3, np.uint16)
    with pytest.raises(DataError, match="object 3 has no class"):
        InstanceMap(ids, np.zeros(2, np.uint8), np.zeros(2, np.float32))
    with pytest.raises(DataError, match="uint16"):
        InstanceMap(ids.astype(int), np.zeros(3, np.uint8), np.zeros(3, np.float32))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"\[2\] classes of objects but \[3\]|classes of objects"):
        InstanceMap(ids, np.zeros(2, np.uint8), np.zeros(3, np.float32))


def test_an_empty_map_says_its_size() -> None:
    assert repr(empty_map(4, 6)) == "InstanceMap(0 objects, 6x4)"
    assert empty_map(4, 6).areas.tolist() == []


def test_people_and_vehicles_are_countable() -> None:
    assert [CAMVID.names[n] for n in countable_ids(CAMVID)] == ["Car", "Pedestrian", "Bicyclist"]
    assert [CITYSCAPES.names[n] for n in countable_ids(CITYSCAPES)] == [
        "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"
    ]  # fmt: skip
