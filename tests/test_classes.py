"""Class sets hold together and are shown in their own colours."""

from __future__ import annotations

import json

import pytest

from rtseg.classes import CAMVID, CITYSCAPES, VOID, ClassSet
from rtseg.errors import DataError, UnknownNameError


def test_ids_are_positions() -> None:
    assert (len(CAMVID), len(CITYSCAPES)) == (11, 19)
    assert CAMVID.id_of("bicyclist") == 10
    assert CITYSCAPES.id_of("Traffic Light") == 6
    with pytest.raises(UnknownNameError, match="Did you mean 'pedestrian'"):
        CAMVID.id_of("pedestrians")


def test_the_palette_is_bgr_and_black_where_no_class_is() -> None:
    palette = CAMVID.palette_bgr()
    assert palette.shape == (256, 3)
    assert palette[CAMVID.id_of("Pavement")].tolist() == [222, 40, 60]
    assert not palette[VOID].any()
    assert not palette[11].any()


def test_a_class_set_survives_json() -> None:
    assert ClassSet.from_dict(json.loads(json.dumps(CITYSCAPES.to_dict()))) == CITYSCAPES


@pytest.mark.parametrize(
    ("names", "colours", "message"),
    [
        ((), (), "0 classes"),
        (("a", "b"), ((0, 0, 0),), "2 names but 1 colours"),
        (("a", "a"), ((0, 0, 0), (1, 1, 1)), "names 'a' twice"),
        (("a",), ((0, 0, 256),), "colour of 'a'"),
        (tuple(str(i) for i in range(256)), ((0, 0, 0),) * 256, "256 classes"),
    ],
)
def test_a_set_that_makes_no_sense_is_refused(
    names: tuple[str, ...], colours: tuple[tuple[int, int, int], ...], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        ClassSet("x", names, colours)


@pytest.mark.parametrize("values", [{}, {"name": "x", "names": ["a"], "colours_rgb": [3]}])
def test_a_dict_that_is_no_class_set_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(DataError, match="not a class set"):
        ClassSet.from_dict(values)
