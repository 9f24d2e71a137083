"""What an engine takes, it says; everything else it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from rtseg.backends import EngineInfo
from rtseg.classes import CAMVID
from rtseg.errors import EngineError

INFO = EngineInfo("linknet-camvid", "eager", "fp32", "cpu", CAMVID, (4, 6), batch=2)


def test_fitting_pictures_pass_and_become_contiguous() -> None:
    images = np.zeros((2, 4, 6, 3), np.uint8)
    assert INFO.check(images) is images
    turned = INFO.check(images[:, ::-1])
    assert turned.flags.c_contiguous


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 4, 6, 3), np.uint8),
        np.zeros((2, 6, 4, 3), np.uint8),
        np.zeros((2, 3, 4, 6), np.uint8),
        np.zeros((4, 6, 3), np.uint8),
        np.zeros((2, 4, 6, 3), np.float32),
        np.zeros((2, 4, 6, 3), np.int8),
    ],
    ids=lambda images: f"{images.dtype}{list(images.shape)}",
)
def test_other_pictures_are_refused(images: np.ndarray) -> None:
    wanted = r"linknet-camvid 6x4 eager fp32 on cpu takes BGR pictures uint8 \[2, 4, 6, 3\]; got "
    with pytest.raises(EngineError, match=wanted):
        INFO.check(images)


def test_no_array_is_refused() -> None:
    with pytest.raises(EngineError, match="got a list"):
        INFO.check([[1]])  # type: ignore[arg-type]
