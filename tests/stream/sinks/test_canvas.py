"""From pictures of any size to frames of one size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtseg.stream.sinks.canvas import Canvas, letterboxed

SIZES = st.tuples(st.integers(1, 200), st.integers(1, 200))


@settings(deadline=None, max_examples=60)
@given(first=SIZES, other=SIZES)
def test_every_size_gives_a_frame_of_the_first_ones_even_size(
    first: tuple[int, int], other: tuple[int, int]
) -> None:
    canvas = Canvas(first)
    for hw in (first, other):
        frame = canvas.frame(np.full((*hw, 3), 200, np.uint8))
        assert (frame.height, frame.width) == canvas.even_hw
        assert frame.format.name == "yuv420p"
    assert (canvas.even_hw[0] % 2, canvas.even_hw[1] % 2) == (0, 0)
    assert all(
        even - side in (0, 1) or even == 16
        for even, side in zip(canvas.even_hw, first, strict=True)
    )


@pytest.mark.parametrize(
    ("hw", "rows", "columns"),
    [
        ((50, 50), (0, 100), (50, 150)),
        ((20, 80), (25, 75), (0, 200)),
        ((300, 600), (0, 100), (0, 200)),
    ],
)
def test_a_picture_keeps_its_proportions_on_black(
    hw: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    boxed = letterboxed(np.full((*hw, 3), 200, np.uint8), (100, 200))
    inside = np.zeros((100, 200), bool)
    inside[slice(*rows), slice(*columns)] = True
    assert (boxed[inside] == 200).all()
    assert (boxed[~inside] == 0).all()


def test_a_frame_does_not_follow_later_changes_of_the_picture() -> None:
    image = np.full((4, 4, 3), 255, np.uint8)
    frame = Canvas((4, 4)).frame(image)
    image[:] = 0
    assert frame.to_ndarray()[:4].min() > 200
