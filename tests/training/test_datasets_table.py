"""What numbers and colours in masks mean, and what is said of those that nobody lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from rtseg.classes import VOID
from rtseg.errors import ConfigError, DataError
from rtseg.training.datasets.class_table import ClassEntry, ClassTable, VoidEntry

ROWS: list[dict[str, Any]] = [
    {"name": "ground", "colour": [10, 20, 30], "ids": [7], "colours": {"a": [1, 2, 3]}},
    {"name": "road", "colour": [40, 50, 60], "ids": {"asphalt": 8, "lane": 300}},
]


def table(void: dict[str, Any] | None = None, **options: Any) -> ClassTable:
    entries = [ClassEntry.model_validate(row) for row in ROWS]
    return ClassTable("test", entries, VoidEntry.model_validate(void or {}), **options)


def mask(path: Path, pixels: Any, dtype: type = np.uint8) -> Path:
    cv2.imwrite(str(path / "mask.png"), np.array(pixels, dtype))
    return path / "mask.png"


def test_ids_become_positions(tmp_path: Path) -> None:
    labels = table({"ids": [0]}).read(mask(tmp_path, [[7, 8], [0, 7]]), "ids")
    assert labels.dtype == np.uint8
    assert labels.tolist() == [[0, 1], [VOID, 0]]


def test_ids_of_16_bits(tmp_path: Path) -> None:
    path = mask(tmp_path, [[7, 300], [8, 8]], np.uint16)
    assert table().read(path, "ids").tolist() == [[0, 1], [1, 1]]


@pytest.mark.parametrize(("dtype", "highest"), [(np.uint8, 255), (np.uint16, 65535)])
def test_minus_one_is_the_highest_number_a_pixel_holds(
    tmp_path: Path, dtype: type, highest: int
) -> None:
    path = mask(tmp_path, [[7, highest]], dtype)
    assert table({"ids": {"license plate": -1}}).read(path, "ids").tolist() == [[0, VOID]]
    with pytest.raises(DataError, match=f"the id {highest} in 1 pixels"):
        table().read(path, "ids")


def test_train_ids_are_positions_and_255_is_void(tmp_path: Path) -> None:
    labels = table({"ids": [0]}).read(mask(tmp_path, [[0, 1, 255]]), "train_ids")
    assert labels.tolist() == [[0, 1, VOID]]
    with pytest.raises(DataError, match="the id 2 in 1 pixels"):
        table().read(mask(tmp_path, [[0, 1, 2]]), "train_ids")


def test_colours_are_rgb_and_default_to_the_shown_one(tmp_path: Path) -> None:
    rgb = np.array([[[1, 2, 3], [40, 50, 60], [0, 0, 0]]], np.uint8)
    path = mask(tmp_path, rgb[..., ::-1])
    labels = table({"colours": {"nothing": [0, 0, 0]}}).read(path, "colours")
    assert labels.tolist() == [[0, 1, VOID]]


def test_an_unlisted_id_names_file_value_place_and_what_is_allowed(tmp_path: Path) -> None:
    path = mask(tmp_path, [[7, 7, 7], [8, 9, 9], [250, 8, 8]])
    with pytest.raises(
        DataError,
        match=r"mask\.png holds the id 9 in 2 pixels, first at row 1, column 1 and 1 other "
        r"unlisted values; allowed are 7–8, 300.*'void'",
    ):
        table().read(path, "ids")


def test_an_unlisted_colour_names_file_value_place_and_what_is_allowed(tmp_path: Path) -> None:
    rgb = np.array([[[1, 2, 3], [200, 100, 50]]], np.uint8)
    with pytest.raises(
        DataError,
        match=r"mask\.png holds the colour \(200, 100, 50\) in 1 pixels, first at row 0, column 1"
        r"; allowed are \(1, 2, 3\), \(40, 50, 60\)\.",
    ):
        table().read(mask(tmp_path, rgb[..., ::-1]), "colours")


def test_unlisted_values_can_be_void(tmp_path: Path) -> None:
    path = mask(tmp_path, [[7, 9, 250]])
    assert table(unlisted="void").read(path, "ids").tolist() == [[0, VOID, VOID]]


def test_one_value_has_one_class() -> None:
    with pytest.raises(ConfigError, match="the id 8 stands for 'road' and for 'void'"):
        table({"ids": [8]}).meaning("ids")
    with pytest.raises(ConfigError, match=r"colour \(1, 2, 3\) stands for 'ground' and for 'void'"):
        table({"colours": [[1, 2, 3]]}).meaning("colours")


def test_every_class_needs_an_id() -> None:
    bare = [ClassEntry(name="road", colour=(1, 2, 3))]
    with pytest.raises(ConfigError, match="the class 'road' lists no ids"):
        ClassTable("test", bare, VoidEntry()).meaning("ids")
