"""Reading pictures and masks: the numbers that the file holds, or one error that names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from rtseg.errors import DataError
from rtseg.training.datasets.image_file import read_colours, read_ids, read_image

RNG = np.random.default_rng(3)
IDS = RNG.integers(0, 60, (20, 30)).astype(np.uint8)
PHOTO = cv2.resize(RNG.integers(0, 255, (6, 8, 3)).astype(np.uint8), (80, 60))
PALETTE = RNG.integers(0, 256, (256, 3)).astype(np.uint8)


def save_palette(path: Path, ids: np.ndarray, bits: int = 8, **options: object) -> None:
    image = Image.fromarray(ids)
    image.putpalette(PALETTE.tobytes())
    image.save(path, bits=bits, **options)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_indices_of_a_palette_png_are_read_not_its_colours(tmp_path: Path, bits: int) -> None:
    ids = IDS & (2**bits - 1)
    save_palette(tmp_path / "mask.png", ids, bits)
    assert cv2.imread(str(tmp_path / "mask.png"), cv2.IMREAD_UNCHANGED).ndim == 3  # the trap
    np.testing.assert_array_equal(read_ids(tmp_path / "mask.png"), ids)


def test_a_transparent_palette_entry_changes_no_index(tmp_path: Path) -> None:
    save_palette(tmp_path / "mask.png", IDS, transparency=7)
    np.testing.assert_array_equal(read_ids(tmp_path / "mask.png"), IDS)


def test_colours_of_a_palette_png_are_its_palette(tmp_path: Path) -> None:
    save_palette(tmp_path / "mask.png", IDS, transparency=7)
    np.testing.assert_array_equal(read_colours(tmp_path / "mask.png"), PALETTE[IDS][..., ::-1])


def test_ids_of_grey_pngs_of_any_depth(tmp_path: Path) -> None:
    Image.fromarray(IDS % 2 == 1).save(tmp_path / "1.png")
    np.testing.assert_array_equal(read_ids(tmp_path / "1.png"), IDS % 2)
    cv2.imwrite(str(tmp_path / "8.png"), IDS)
    np.testing.assert_array_equal(read_ids(tmp_path / "8.png"), IDS)
    wide = IDS.astype(np.uint16) * 1000
    cv2.imwrite(str(tmp_path / "16.png"), wide)
    found = read_ids(tmp_path / "16.png")
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, wide)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_grey_ids_saved_as_rgb_are_ids(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"mask{suffix}"
    cv2.imwrite(str(path), np.repeat(IDS[..., None], 3, 2))
    np.testing.assert_array_equal(read_ids(path), IDS)


def test_alpha_is_no_id(tmp_path: Path) -> None:
    grey_alpha = np.dstack([IDS, IDS, IDS, np.full_like(IDS, 255)])
    cv2.imwrite(str(tmp_path / "mask.png"), grey_alpha)
    np.testing.assert_array_equal(read_ids(tmp_path / "mask.png"), IDS)


def test_colours_where_numbers_are_expected_say_so(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "mask.png"), PHOTO)
    with pytest.raises(DataError, match=r"mask\.png holds colours, but numbers.*values: colours"):
        read_ids(tmp_path / "mask.png")


def test_colour_masks_are_exact(tmp_path: Path) -> None:
    colours = PALETTE[IDS]
    cv2.imwrite(str(tmp_path / "mask.png"), colours)
    np.testing.assert_array_equal(read_colours(tmp_path / "mask.png"), colours)


@pytest.mark.parametrize("read", [read_ids, read_colours])
def test_a_jpeg_is_no_mask(tmp_path: Path, read: Callable[[Path], np.ndarray]) -> None:
    cv2.imwrite(str(tmp_path / "mask.jpg"), IDS)
    with pytest.raises(DataError, match=r"mask\.jpg is a JPEG.*lossless"):
        read(tmp_path / "mask.jpg")


def test_float_masks_are_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "mask.tif"), IDS.astype(np.float32))
    with pytest.raises(DataError, match=r"mask\.tif holds float32"):
        read_ids(tmp_path / "mask.tif")


def test_pictures_are_bgr_whatever_they_hold(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "colour.png"), PHOTO)
    np.testing.assert_array_equal(read_image(tmp_path / "colour.png"), PHOTO)
    cv2.imwrite(str(tmp_path / "grey.png"), IDS)
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png")[..., 2], IDS)
    cv2.imwrite(str(tmp_path / "deep.png"), PHOTO.astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png"), PHOTO)
    Image.fromarray(PHOTO[..., ::-1]).save(tmp_path / "photo.jpg", quality=98)
    assert np.abs(read_image(tmp_path / "photo.jpg").astype(int) - PHOTO).mean() < 3


def test_progressive_jpegs_and_jpegs_with_a_tail_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(PHOTO).save(path, progressive=True, exif=Image.Exif())
    path.write_bytes(path.read_bytes() + b"a film that a telephone puts here")
    assert read_image(path).shape == PHOTO.shape


def cut_png(data: bytes) -> bytes:
    return data[: len(data) // 2]


def cut_before_end(data: bytes) -> bytes:
    return data[:-12]


def flipped(data: bytes) -> bytes:
    return data[:60] + bytes([data[60] ^ 0x40]) + data[61:]


def emptied(data: bytes) -> bytes:
    return b""


def no_picture(data: bytes) -> bytes:
    return b"version https://git-lfs.github.com/spec/v1"


DAMAGE = [
    ("png", cut_png, "cut off"),
    ("png", cut_before_end, "cut off"),
    ("png", flipped, "check sum"),
    ("png", emptied, "empty"),
    ("png", no_picture, "no picture"),
    ("jpg", cut_png, "cut off"),
    ("jpg", lambda data: data[:3], "cut off"),
]


@pytest.mark.parametrize(("suffix", "damage", "problem"), DAMAGE)
def test_damaged_pictures_give_one_error_and_no_other_noise(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    suffix: str,
    damage: Callable[[bytes], bytes],
    problem: str,
) -> None:
    path = tmp_path / f"photo.{suffix}"
    Image.fromarray(PHOTO).save(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=rf"photo\.{suffix}.*{problem}"):
        read_image(path)
    if suffix == "png":
        for read in (read_ids, read_colours):
            with pytest.raises(DataError, match=rf"photo\.png.*{problem}"):
                read(path)
    assert capfd.readouterr() == ("", "")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such file: .*nothing\.png"):
        read_image(tmp_path / "nothing.png")
