"""Objects of the demo drive: each pixel's own, and the same id from frame to frame."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest

from rtseg._demo import identity
from rtseg._demo.noise import U8, U16
from rtseg.classes import CAMVID
from rtseg.demo_drive import DemoDrive
from rtseg.errors import DataError

WIDTH, HEIGHT = 160, 120
COUNTED = [CAMVID.id_of(name) for name in ("Car", "Pedestrian", "Bicyclist")]


@lru_cache(maxsize=2)
def drive(seed: int) -> DemoDrive:
    return DemoDrive(seed, WIDTH, HEIGHT)


@lru_cache(maxsize=2)
def film(seed: int) -> tuple[tuple[U8, U8, U16], ...]:
    """A second of a drive."""
    return tuple(drive(seed).render_instances(index) for index in range(600, 630, 2))


def test_picture_and_classes_are_those_of_render() -> None:
    for index in (0, 777):
        image, labels = drive(0).render(index)
        image2, labels2, instances = drive(0).render_instances(index)
        assert np.array_equal(image, image2)
        assert np.array_equal(labels, labels2)
        assert instances.dtype == np.uint16
        assert instances.shape == labels.shape
        again = drive(0).render(index)
        assert np.array_equal(again[0], image)


@pytest.mark.parametrize("seed", [0])
def test_exactly_the_counted_classes_have_objects_and_each_is_of_one_class(seed: int) -> None:
    for _, labels, instances in film(seed)[::4]:
        assert np.array_equal(instances > 0, np.isin(labels, COUNTED))
        numbers = np.unique(instances[instances > 0])
        assert len(numbers) >= 4
        for number in numbers:
            assert len(np.unique(labels[instances == number])) == 1


@pytest.mark.parametrize("seed", [0])
def test_an_id_stays_with_its_object(seed: int) -> None:
    """From frame to frame an object is where it was, and hardly any large one comes or goes."""
    frames = film(seed)
    for (_, _, before), (_, _, after) in pairwise(frames):
        for number in np.unique(before[before > 0]):
            old, new = before == number, after == number
            if old.sum() < 30 or not new.any():
                continue
            shift = np.abs(np.argwhere(old).mean(axis=0) - np.argwhere(new).mean(axis=0))
            assert shift.max() < 15
    first, last = (set(np.unique(each[2])) - {0} for each in (frames[0], frames[-1]))
    assert len(first & last) >= 0.5 * len(first)


def test_objects_that_touch_have_ids_of_their_own() -> None:
    """Somewhere in a drive with parked cars two cars are next to each other."""
    touching = 0
    for index in range(0, 1500, 150):
        _, labels, instances = drive(0).render_instances(index)
        left, right = instances[:, :-1], instances[:, 1:]
        same = (labels[:, :-1] == labels[:, 1:]) & (left > 0)
        touching += int((same & (left != right)).sum())
    assert touching > 50


def test_ids_are_a_function_of_seed_size_and_number_alone() -> None:
    other = DemoDrive(0, WIDTH, HEIGHT, fps=60)
    later = other.render_instances(1800)[2]
    other.render(7)
    assert np.array_equal(other.render_instances(0)[2], drive(0).render_instances(0)[2])
    assert np.array_equal(drive(0).render_instances(900)[2], later)


def test_a_larger_picture_has_the_same_objects() -> None:
    small = drive(0).render_instances(50)[2]
    large = DemoDrive(0, 3 * WIDTH, 3 * HEIGHT).render_instances(50)[2]
    assert (large[1::3, 1::3] == small).mean() > 0.97


def test_kinds_share_no_ids() -> None:
    ranges = [
        set(range(identity._FIRST[kind], identity._FIRST[kind] + identity._SIZE[kind]))
        for kind in identity._FIRST
    ]
    assert len(set().union(*ranges)) == sum(len(each) for each in ranges)
    assert min(set().union(*ranges)) == 1
    assert max(set().union(*ranges)) <= 65535
    for kind in identity._FIRST:
        numbers = [identity.instance_of(kind, number) for number in range(-500, 500)]
        assert len(set(numbers)) == 1000


def test_no_two_objects_of_a_picture_share_an_id() -> None:
    """What the scene hands to the brush, whether it is seen or hidden."""
    scene = drive(0)._scene
    for time_s in np.linspace(0, 60, 5):
        here = scene._motion.s_at(time_s)
        chunks = scene._street.around(here - 30, here + 170)
        zebras = [s for chunk in chunks for s in chunk.zebras if s > here]
        movers, _ = scene._traffic.items(time_s, zebras)
        standing = [item for chunk in chunks for item in chunk.items]
        numbers = [getattr(item, "instance", 0) for item in (*movers, *standing)]
        counted = [number for number in numbers if number]
        assert len(counted) == len(set(counted))
        assert len(counted) > 10


def test_a_bad_frame_number_is_named() -> None:
    with pytest.raises(DataError, match="frame index"):
        drive(0).render_instances(-1)
