"""Lines around single objects: where they run, and that each keeps its colour."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rtseg.classes import CAMVID, VOID
from rtseg.frames import ClassMap, Frame, Labels
from rtseg.stream.overlay.hud import HudValues
from rtseg.stream.overlay.instance_outlines import InstanceOutlines, inner_outline, outline_colours
from rtseg.stream.overlay.overlay import Overlay
from rtseg.stream.overlay.style import OverlayStyle

CAR, PERSON, ROAD = (CAMVID.id_of(name) for name in ("Car", "Pedestrian", "Road"))
HW = (120, 200)


def street(shift: int = 0, *, person: bool = True) -> Labels:
    """Two cars and, beside the second, a person; all moved to the right."""
    labels = np.full(HW, ROAD, np.uint8)
    labels[60:90, 10 + shift : 50 + shift] = CAR
    labels[60:90, 70 + shift : 110 + shift] = CAR
    if person:
        labels[50:95, 110 + shift : 125 + shift] = PERSON
    return labels


def class_map(labels: Labels, index: int = 0) -> ClassMap:
    image = np.full((*labels.shape, 3), 90, np.uint8)
    return ClassMap(labels, CAMVID, Frame(image, index, index / 30, 0, "test"))


def overlay(**changes: Any) -> Overlay:
    style = OverlayStyle(**({"legend": False, "hud": False, "instances": True} | changes))
    return Overlay(lambda: style, CAMVID, lambda: HudValues(1, 1, "", 0))


def changed(labels: Labels, **changes: Any) -> np.ndarray:
    """Where the lines changed the picture, bool [H, W]."""
    item = class_map(labels)
    with_lines = overlay(**changes).process(item).image_bgr
    without = overlay(instances=False, **changes).process(item).image_bgr
    return np.asarray((with_lines != without).any(axis=-1))


def test_lines_run_along_the_inside_of_each_object() -> None:
    labels = street()
    lines = changed(labels)
    assert not lines[labels == ROAD].any()
    assert lines[60, 11:49].all()
    assert lines[61:89, 10].all()
    assert not lines[70:80, 20:40].any()
    assert lines[70, 109]  # the car's side towards the person
    assert lines[70, 110]  # and the person's


@pytest.mark.parametrize("mode", ["overlay", "mask"])
def test_each_object_has_a_colour_of_its_own(mode: str) -> None:
    image = overlay(mode=mode).process(class_map(street())).image_bgr
    colours = {tuple(image[75, x].tolist()) for x in (10, 70, 124)}
    assert len(colours) == 3


def test_the_colour_stays_while_the_object_moves() -> None:
    film = overlay()
    seen = []
    for index in range(12):
        shift = 5 * index
        image = film.process(class_map(street(shift, person=index != 5), index)).image_bgr
        seen.append([tuple(image[75, x + shift].tolist()) for x in (10, 70)])
    assert seen == [seen[0]] * 12


def test_side_by_side_has_lines_in_the_coloured_half_alone() -> None:
    lines = changed(street(), mode="side-by-side")
    assert not lines[:, : HW[1]].any()
    assert np.array_equal(lines[:, HW[1] + 2 :], changed(street())[:, 2:])


def test_the_picture_alone_stays_as_it_is() -> None:
    assert not changed(street(), mode="picture").any()


def test_only_coloured_classes_have_lines() -> None:
    labels = street()
    assert not changed(labels, hide=("Car",))[labels == CAR].any()
    assert changed(labels, hide=("Car",))[labels == PERSON].any()
    assert not changed(labels, classes=("Road",)).any()


def test_specks_and_void_have_none() -> None:
    labels = np.full(HW, VOID, np.uint8)
    labels[50, 50] = CAR
    assert not changed(labels).any()


def test_frame_and_class_map_are_only_read() -> None:
    item = class_map(street())
    frame, labels = item.frame.image_bgr.copy(), item.labels.copy()
    overlay().process(item)
    assert np.array_equal(item.frame.image_bgr, frame)
    assert np.array_equal(item.labels, labels)


def test_a_change_of_style_keeps_the_ids() -> None:
    styles = [OverlayStyle(legend=False, hud=False, instances=True, alpha=a) for a in (0.5, 0.5, 0)]
    turn = iter([styles[0], *styles])  # the first is asked for when the stage is made
    film = Overlay(lambda: next(turn), CAMVID, lambda: HudValues(1, 1, "", 0))
    colours = {
        tuple(film.process(class_map(street(4 * n), n)).image_bgr[75, 10 + 4 * n].tolist())
        for n in range(3)
    }
    assert len(colours) == 1


def test_lines_grow_with_the_picture() -> None:
    ids = np.zeros((1600, 400), np.uint16)
    ids[400:1200, 100:300] = 7
    assert inner_outline(ids)[800, 100:300].sum() == 2 * 4
    assert not inner_outline(np.full((50, 50), 7, np.uint16)).any()


def test_neighbouring_colours_are_far_apart() -> None:
    colours = outline_colours().astype(int)
    assert len(np.unique(colours, axis=0)) > 100
    for gap in (1, 2, 3):
        assert np.abs(colours[gap:] - colours[:-gap]).sum(axis=1).min() > 40


def test_ids_are_those_of_connected_parts() -> None:
    ids = InstanceOutlines((CAR, PERSON)).ids(street())
    assert sorted(np.unique(ids).tolist()) == [0, 1, 2, 3]
    assert np.array_equal(ids > 0, street() != ROAD)
