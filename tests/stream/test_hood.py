"""The own bonnet: from a painted file, and found in films that have one, and only in those."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest

from rtseg.demo_drive import DemoDrive
from rtseg.errors import DataError
from rtseg.frames import Frame
from rtseg.stream.hood import HoodFile, open_hood
from rtseg.stream.hood_finder import HoodFinder

Image = npt.NDArray[np.uint8]


def frame_of(image: Image, index: int = 0) -> Frame:
    return Frame(image, index, index / 25, 0, "test")


@lru_cache(maxsize=6)
def street(seed: int) -> tuple[Image, ...]:
    film = DemoDrive(seed, 320, 180, fps=10)
    return tuple(film.render(index)[0] for index in range(40))


def drive(seed: int, bonnet: bool) -> Iterator[Image]:
    for index, image in enumerate(map(np.copy, street(seed))):
        if bonnet:
            cv2.fillPoly(image, [BONNET], (52, 44, 40), cv2.LINE_AA)
            # What shines on it moves; the bonnet doesn't.
            cv2.circle(image, (60 + 5 * index, 172), 5, (90, 90, 95), cv2.FILLED, cv2.LINE_AA)
        yield image


BONNET = np.array(
    [[0, 168], [40, 159], [106, 153], [160, 151], [214, 153], [280, 159], [319, 168],
     [319, 179], [0, 179]], np.int32,
)  # fmt: skip


def film(path: Path) -> Iterator[Image]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="bgr24")


def last_mask(images: Iterator[Image]) -> npt.NDArray[np.uint8] | None:
    finder, mask = HoodFinder(), None
    for index, image in enumerate(images):
        mask = finder.mask(frame_of(image, index))
    return mask


@pytest.mark.parametrize("seed", [0, 1, 5])
def test_a_bonnet_is_found_where_it_is(seed: int) -> None:
    mask = last_mask(drive(seed, bonnet=True))
    assert mask is not None
    painted = cv2.fillPoly(np.zeros((180, 320), np.uint8), [BONNET], 255) > 0
    found = mask > 0
    assert (found & painted).sum() / (found | painted).sum() > 0.88
    assert set(np.unique(mask)) == {0, 255}


@pytest.mark.parametrize("seed", [0, 2, 4])
def test_a_drive_without_one_has_none(seed: int) -> None:
    assert last_mask(drive(seed, bonnet=False)) is None


def test_the_motorway_and_the_city_have_none(shared_data: Path) -> None:
    assert last_mask(film(shared_data / "videos" / "udacity_p1_solidWhiteRight.mp4")) is None
    assert last_mask(film(shared_data / "videos" / "camvid_val_0016E5_15hz.mp4")) is None


def test_the_bonnet_of_a_real_film_is_found(shared_data: Path) -> None:
    """The second motorway clip shows a strip of the car's own bonnet, from about row 672 of 720."""
    mask = last_mask(film(shared_data / "videos" / "udacity_vd_test_video.mp4"))
    assert mask is not None
    tops = (mask > 0).argmax(axis=0)
    assert 655 <= tops.min() <= tops.max() <= 700
    assert (mask[-1] == 255).all()


def test_a_standing_car_is_no_evidence() -> None:
    image = next(drive(1, bonnet=True))
    finder = HoodFinder()
    assert all(finder.mask(frame_of(image, index)) is None for index in range(100))


def test_another_size_is_looked_at_afresh() -> None:
    finder, images = HoodFinder(), list(drive(1, bonnet=True))
    masks = [finder.mask(frame_of(image, index)) for index, image in enumerate(images)]
    assert masks[0] is None
    assert masks[-1] is not None
    assert finder.mask(frame_of(np.zeros((100, 200, 3), np.uint8))) is None


def test_a_painted_mask_is_scaled_to_every_frame(tmp_path: Path) -> None:
    painted = np.zeros((90, 160), np.uint8)
    painted[70:] = 255
    assert cv2.imwrite(str(tmp_path / "grey.png"), painted)
    hood = open_hood(str(tmp_path / "grey.png"))
    assert hood is not None
    for hw in ((360, 640), (45, 80), (360, 640)):
        mask = hood.mask(frame_of(np.zeros((*hw, 3), np.uint8)))
        assert mask is not None
        assert (mask[: hw[0] * 7 // 9] == 0).all()
        assert (mask[hw[0] * 7 // 9 :] == 255).all()


def test_opacity_marks_the_bonnet_where_there_is_any(tmp_path: Path) -> None:
    picture = np.zeros((20, 30, 4), np.uint8)
    picture[15:, :, :] = (10, 10, 10, 255)  # a dark bonnet on a transparent ground
    assert cv2.imwrite(str(tmp_path / "alpha.png"), picture)
    mask = HoodFile(tmp_path / "alpha.png").mask(frame_of(np.zeros((20, 30, 3), np.uint8)))
    assert np.array_equal(mask > 0, picture[..., 3] > 0)
    opaque = np.full((20, 30, 4), 255, np.uint8)
    opaque[:15, :, :3] = 0  # white on black, all opaque
    assert cv2.imwrite(str(tmp_path / "opaque.png"), opaque)
    assert np.array_equal(HoodFile(tmp_path / "opaque.png").mask(frame_of(picture[..., :3])), mask)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), (b"", "no picture"), (b"text", "no picture"), ("black", "nothing"),
     ("white", "everything")],
)  # fmt: skip
def test_masks_that_cannot_be_used(
    tmp_path: Path, content: bytes | str | None, message: str
) -> None:
    path = tmp_path / "hood.png"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        cv2.imwrite(str(path), np.full((9, 9), 255 if content == "white" else 0, np.uint8))
    with pytest.raises(DataError, match=message):
        HoodFile(path)
