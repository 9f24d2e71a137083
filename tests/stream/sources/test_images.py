"""Pictures, folders and patterns of pictures."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from rtseg.errors import SourceError
from rtseg.stream.sources import SourceConfig, open_source


@pytest.fixture
def folder(tmp_path: Path, numbered: Any) -> Path:
    """Twelve pictures whose names sort differently as text, and other things beside them."""
    for index in range(12):
        cv2.imwrite(str(tmp_path / f"shot{index}.png"), numbered(index))
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "deeper").mkdir()
    cv2.imwrite(str(tmp_path / "deeper" / "shot99.png"), numbered(99))
    return tmp_path


def numbers(uri: Path | str, number_of: Any, **settings: Any) -> list[int]:
    with open_source(SourceConfig(uri=str(uri), **settings)) as source:
        return [number_of(frame.image_bgr) for frame in source]


def test_a_folder_in_natural_order(folder: Path, number_of: Any) -> None:
    assert numbers(folder, number_of) == list(range(12))


def test_a_pattern(folder: Path, number_of: Any) -> None:
    assert numbers(folder / "shot1*.png", number_of) == [1, 10, 11]
    assert numbers(folder / "**" / "*9.png", number_of) == [99, 9]


def test_one_picture(folder: Path, number_of: Any) -> None:
    with open_source(SourceConfig(uri=str(folder / "shot7.png"))) as source:
        assert (source.info.num_frames, source.info.hw, source.info.live) == (1, (48, 64), False)
        assert [number_of(frame.image_bgr) for frame in source] == [7]


def test_times_are_evenly_spaced(folder: Path) -> None:
    with open_source(SourceConfig(uri=str(folder))) as source:
        assert [frame.pts_s for frame in source] == pytest.approx(np.arange(12) / 10)
    with open_source(SourceConfig(uri=str(folder), fps=4, start_s=1.0)) as source:
        assert [frame.pts_s for frame in source] == pytest.approx(np.arange(8) / 4)


def test_sizes_may_differ(tmp_path: Path) -> None:
    sizes = [(20, 30), (40, 10), (33, 33)]
    for index, (height, width) in enumerate(sizes):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.zeros((height, width, 3), np.uint8))
    with open_source(SourceConfig(uri=str(tmp_path))) as source:
        assert source.info.hw == (20, 30)
        assert [frame.hw for frame in source] == sizes


def test_a_damaged_picture_is_left_out_and_its_time_stays_empty(
    folder: Path, number_of: Any
) -> None:
    whole = (folder / "shot3.png").read_bytes()
    (folder / "shot3.png").write_bytes(whole[: len(whole) // 2])
    (folder / "shot5.png").write_bytes(b"")
    (folder / "shot6.png").write_text("no picture at all")
    with open_source(SourceConfig(uri=str(folder))) as source:
        frames = list(source)
        problems = source.problems()
    assert [number_of(frame.image_bgr) for frame in frames] == [0, 1, 2, 4, 7, 8, 9, 10, 11]
    assert [frame.index for frame in frames] == list(range(9))
    assert [frame.pts_s for frame in frames][2:5] == pytest.approx([0.2, 0.4, 0.7])
    assert len(problems) == 3
    assert "shot3.png is damaged" in problems[0]


def test_many_damaged_pictures_are_counted(folder: Path) -> None:
    for index in range(10):
        (folder / f"shot{index}.png").write_bytes(b"broken")
    with open_source(SourceConfig(uri=str(folder))) as source:
        assert len(list(source)) == 2
        assert source.problems()[-1] == "left out: 7 more damaged pictures"


def test_a_jpeg_that_is_cut_off_is_damaged(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    data = cv2.imencode(".jpg", noise)[1].tobytes()
    (tmp_path / "a.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError, match="damaged"):
        open_source(SourceConfig(uri=str(tmp_path / "a.jpg")))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder, "holds no picture"),
        (lambda folder: folder / "*.png", "names no picture"),
        (lambda folder: folder / "no.png", "no such file"),
    ],
)
def test_nothing_there(make: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=said):
        open_source(SourceConfig(uri=str(make(tmp_path))))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
def test_grey_deep_and_alpha_pictures_become_bgr(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    pictures = {
        "a.png": np.full((8, 9), 40000, np.uint16),
        "a.tif": np.full((8, 9), 156, np.uint8),
        "a.webp": np.full((8, 9, 4), 156, np.uint8),
    }
    cv2.imwrite(str(path), pictures[name], [cv2.IMWRITE_WEBP_QUALITY, 101])
    with open_source(SourceConfig(uri=str(path))) as source:
        frame = source.read()
    assert frame is not None
    assert frame.image_bgr.shape == (8, 9, 3)
    assert np.abs(frame.image_bgr.astype(int) - 156).max() <= 1


def test_exif_orientation_is_heeded_unless_rotation_is_set(tmp_path: Path) -> None:
    image = np.zeros((32, 64, 3), np.uint8)
    image[:, :20] = 255
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    # One entry: tag 0x112, orientation 6: the stored picture is to be turned 90 degrees clockwise.
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x112, 3, 1, 6, 0, 0)
    exif = b"Exif\0\0" + tiff
    path = tmp_path / "phone.jpg"
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:])

    def shown(**settings: Any) -> np.ndarray:
        with open_source(SourceConfig(uri=str(path), **settings)) as source:
            frame = next(iter(source))
            assert source.info.hw == frame.hw
            return np.asarray(frame.image_bgr)

    upright = np.rot90(image, -1)
    assert shown().shape == upright.shape
    assert np.abs(shown().astype(int) - upright).mean() < 3
    assert np.abs(shown(rotate=0).astype(int) - image).mean() < 3


def test_played_again(folder: Path, number_of: Any) -> None:
    assert numbers(folder, number_of, stride=5, loop=2) == [0, 5, 10, 0, 5, 10]


def test_a_folder_with_a_bracket_in_its_name(tmp_path: Path, numbered: Any, number_of: Any) -> None:
    odd = tmp_path / "set[1]"
    odd.mkdir()
    cv2.imwrite(str(odd / "a.png"), numbered(4))
    assert numbers(odd, number_of) == [4]
    assert numbers(odd / "a.png", number_of) == [4]
