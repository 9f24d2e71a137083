"""What travels is checked when it is made."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from rtseg.classes import CAMVID
from rtseg.errors import DataError
from rtseg.frames import ClassMap, Frame, Picture


def frame(height: int = 4, width: int = 6) -> Frame:
    return Frame(np.zeros((height, width, 3), np.uint8), 7, 0.25, 1, "demo")


def test_a_frame_prints_shapes_and_no_pixels() -> None:
    assert repr(frame()) == "Frame('demo' #7 at 0.250 s, 6x4)"
    with pytest.raises(dataclasses.FrozenInstanceError):
        frame().index = 3  # type: ignore[misc]


def test_a_frame_may_live_on_a_device() -> None:
    assert Frame(torch.zeros(4, 6, 3, dtype=torch.uint8), 0, 0.0, 0, "x").hw == (4, 6)


@pytest.mark.parametrize(
    ("shape", "dtype"), [((4, 6), "uint8"), ((4, 6, 4), "uint8"), ((4, 6, 3), "float32"),
                         ((0, 6, 3), "uint8")],
)  # fmt: skip
def test_an_image_of_another_form_is_refused(shape: tuple[int, ...], dtype: str) -> None:
    with pytest.raises(DataError, match="must be uint8"):
        Frame(np.zeros(shape, dtype), 0, 0.0, 0, "x")


@pytest.mark.parametrize(("index", "pts_s"), [(-1, 0.0), (0, -0.1), (0, float("nan"))])
def test_a_negative_place_is_refused(index: int, pts_s: float) -> None:
    with pytest.raises(DataError, match="can't be negative"):
        Frame(np.zeros((4, 6, 3), np.uint8), index, pts_s, 0, "x")


def test_a_class_map_belongs_to_its_frame() -> None:
    one, other = frame(), frame()
    class_map = ClassMap(np.zeros((4, 6), np.uint8), CAMVID, one)
    assert "camvid, 11 classes" in repr(class_map)
    assert "6x4" in repr(Picture(one.image_bgr, one, class_map))
    with pytest.raises(DataError, match="can't be drawn on"):
        Picture(other.image_bgr, other, class_map)
    for labels in (np.zeros((6, 4), np.uint8), np.zeros((4, 6), np.int64)):
        with pytest.raises(DataError, match="class map of"):
            ClassMap(labels, CAMVID, one)
