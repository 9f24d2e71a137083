"""Short texts on a picture."""

from __future__ import annotations

import numpy as np
import pytest

from rtseg.stream.sinks.note import with_note
from rtseg.stream.sinks.window_keys import HELP


@pytest.mark.parametrize("hw", [(1080, 1920), (720, 1280), (360, 640), (1440, 500)])
@pytest.mark.parametrize("centred", [False, True])
def test_a_text_fits_into_the_picture_and_leaves_the_original(
    hw: tuple[int, int], centred: bool
) -> None:
    image = np.full((*hw, 3), 100, np.uint8)
    noted = with_note(image, HELP, centred=centred)
    assert (image == 100).all()
    rows, columns = np.nonzero((noted != 100).any(axis=2))
    assert rows.size
    assert rows.min() > 0
    assert rows.max() < hw[0] - 1
    assert columns.min() > 0
    assert columns.max() < hw[1] - 1
    if centred:
        assert rows.min() + rows.max() == pytest.approx(hw[0], abs=3)
        assert columns.min() + columns.max() == pytest.approx(hw[1], abs=3)


@pytest.mark.parametrize("hw", [(1, 1), (20, 30), (5, 400)])
def test_a_picture_that_is_too_small_is_no_error(hw: tuple[int, int]) -> None:
    assert with_note(np.zeros((*hw, 3), np.uint8), HELP, centred=True).shape == (*hw, 3)
