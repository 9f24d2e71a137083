"""Padding: the mean colour or the mirror image, at the bottom and the right."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rtseg.networks.padding import pad_pictures


def test_the_mean_colour_is_zero() -> None:
    padded = pad_pictures(torch.ones(1, 3, 2, 3), (4, 4))
    assert padded[..., :2, :3].eq(1).all()
    assert padded.sum() == 3 * 2 * 3


@pytest.mark.parametrize("hw", [(5, 7), (5, 12), (12, 7), (9, 11), (40, 33)])
def test_the_mirror_image_is_numpys(hw: tuple[int, int]) -> None:
    image = np.arange(35, dtype=np.float32).reshape(1, 1, 5, 7)
    rows, columns = hw[0] - 5, hw[1] - 7
    # numpy mirrors by the whole array, again and again; so do pictures smaller than their padding.
    expected = np.pad(image, ((0, 0), (0, 0), (0, rows), (0, columns)), "reflect")
    np.testing.assert_array_equal(pad_pictures(torch.from_numpy(image), hw, "reflect"), expected)


def test_a_single_row_is_repeated() -> None:
    padded = pad_pictures(torch.tensor([[[[1.0, 2.0]]]]), (3, 3), "reflect")
    assert padded.tolist() == [[[[1, 2, 1]] * 3]]


def test_a_size_that_fits_stays() -> None:
    image = torch.randn(1, 3, 4, 4)
    assert pad_pictures(image, (4, 4), "reflect") is image
