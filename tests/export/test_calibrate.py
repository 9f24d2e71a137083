"""Calibration pictures from folders and films."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from rtseg.errors import DataError
from rtseg.export.calibrate import CalibrationPictures, calibration_from, calibration_pictures


def grey(value: int, hw: tuple[int, int] = (40, 60)) -> np.ndarray:
    return np.full((*hw, 3), value, np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index in range(9):
        cv2.imwrite(str(tmp_path / f"{index}.png"), grey(index))
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_a_folder_is_sampled_evenly(folder: Path) -> None:
    pictures = calibration_from(folder, (20, 30), count=3)
    assert [int(image.max()) for image in pictures.images_bgr] == [0, 3, 6]
    assert pictures.hw == (20, 30)
    assert pictures.origin == folder.name


def test_fewer_pictures_than_asked_for_are_all_taken(folder: Path) -> None:
    assert len(calibration_from(folder, (20, 30), count=50).images_bgr) == 9


def test_a_film_is_sampled_evenly(shared_data: Path) -> None:
    film = shared_data / "videos" / "camvid_val_0016E5_15hz.mp4"
    pictures = calibration_from(film, (45, 60), count=4)
    assert len(pictures.images_bgr) == 4
    assert len({image.tobytes() for image in pictures.images_bgr}) == 4


def test_the_digest_tells_pictures_apart() -> None:
    first, same, other = (
        CalibrationPictures((grey(value),), "here").digest() for value in (1, 1, 2)
    )
    assert first == same != other


def test_sizes_are_those_of_the_input() -> None:
    pictures = calibration_pictures([grey(1), grey(2, (80, 80))], (32, 32), "two", "letterbox")
    assert pictures.hw == (32, 32)
    with pytest.raises(DataError, match="of one size"):
        CalibrationPictures((grey(1), grey(2, (8, 8))), "mixed")


def test_nothing_to_calibrate_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no calibration pictures"):
        calibration_from(tmp_path, (32, 32))
    with pytest.raises(DataError, match="neither a folder nor a film"):
        calibration_from(tmp_path / "absent", (32, 32))
    text = tmp_path / "film.mp4"
    text.write_text("not a film")
    with pytest.raises(DataError, match="can't be read as a film"):
        calibration_from(text, (32, 32))
    (tmp_path / "broken.png").write_text("not a picture")
    with pytest.raises(DataError, match=r"broken\.png can't be read"):
        calibration_from(tmp_path, (32, 32))
