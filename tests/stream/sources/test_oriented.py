"""The eight ways to lay a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rtseg.stream.sources import SourceConfig
from rtseg.stream.sources.oriented import Orientation

PICTURE = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)


@pytest.mark.parametrize("flip", ["none", "horizontal", "vertical", "both"])
@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_turned_clockwise_and_then_mirrored(rotate: int, flip: str) -> None:
    expected = np.rot90(PICTURE, -rotate // 90)
    if flip in ("horizontal", "both"):
        expected = expected[:, ::-1]
    if flip in ("vertical", "both"):
        expected = expected[::-1]
    settings: Any = {"rotate": rotate, "flip": flip}
    orientation = Orientation.of_config(SourceConfig.model_validate(settings))
    laid = orientation.apply(PICTURE)
    np.testing.assert_array_equal(laid, expected)
    np.testing.assert_array_equal(orientation.apply(PICTURE[..., 0]), expected[..., 0])
    assert orientation.hw((2, 4)) == laid.shape[:2]
    assert orientation.swaps_axes == (rotate in (90, 270))


def test_nothing_to_do_copies_nothing() -> None:
    assert Orientation().apply(PICTURE) is PICTURE


@pytest.mark.parametrize("matrix", [b"", b"\0" * 36, b"\1\2\3"])
def test_a_display_matrix_without_meaning_turns_nothing(matrix: bytes) -> None:
    assert Orientation.of_display_matrix(matrix) in (Orientation(), Orientation(2))
