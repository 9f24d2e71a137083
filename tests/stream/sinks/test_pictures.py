"""Pictures as files: their names, what is refused, and that none is ever half there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from rtseg.errors import SinkError
from rtseg.frames import Picture
from rtseg.stream.sinks.pictures import PictureFiles, PicturesConfig
from rtseg.stream.sinks.sink import StreamInfo

MakeInfo = Callable[..., StreamInfo]
MakePicture = Callable[..., Picture]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("%06d.png", ["000003.png", "000012.png"]),
        ("view_%d.png", ["view_3.png", "view_12.png"]),
        ("100%%_%04d.PNG", ["100%_0003.PNG", "100%_0012.PNG"]),
    ],
)
def test_files_are_numbered_by_the_frames_index(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture, pattern: str, names: list[str]
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    folder = tmp_path / "new" / "folder"
    with PictureFiles(str(folder / pattern)) as sink:
        sink.open(make_info())
        for index in (3, 12):
            sink.write(make_picture(index, image=image))
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    for name in names:
        np.testing.assert_array_equal(cv2.imread(str(folder / name)), image)


def test_quality_is_heeded(tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture) -> None:
    image = cv2.resize(np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8), (64, 48))
    sizes = []
    for suffix in ("jpg", "webp"):
        for quality in (20, 95):
            pattern = str(tmp_path / f"{quality}_%d.{suffix}")
            with PictureFiles(pattern, PicturesConfig(quality=quality)) as sink:
                sink.open(make_info())
                sink.write(make_picture(0, image=image))
            sizes.append(Path(pattern % 0).stat().st_size)
    assert sizes[0] < sizes[1]
    assert sizes[2] < sizes[3]


@pytest.mark.parametrize(
    "name", ["out.png", "%s.png", "%d_%d.png", "%06f.jpg", "%d/%d.png", "%.png"]
)
def test_a_pattern_without_exactly_one_number_is_refused(
    tmp_path: Path, make_info: MakeInfo, name: str
) -> None:
    with pytest.raises(SinkError, match=r"%06d\.(png|jpg)"):
        PictureFiles(str(tmp_path / name)).open(make_info())


def test_pictures_that_exist_are_kept_unless_told_otherwise(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture
) -> None:
    pattern = str(tmp_path / "%06d.png")
    (tmp_path / "000123.png").write_bytes(b"mine")
    (tmp_path / "cover.png").write_bytes(b"another")
    with pytest.raises(SinkError, match=r"holds 1 such pictures \(000123.png.*--overwrite"):
        PictureFiles(pattern).open(make_info())
    with PictureFiles(pattern, overwrite=True) as sink:
        sink.open(make_info())
        sink.write(make_picture(123))
    assert cv2.imread(str(tmp_path / "000123.png")) is not None
    assert (tmp_path / "cover.png").read_bytes() == b"another"


def test_a_failed_write_is_told_and_leaves_nothing_half_done(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture
) -> None:
    with PictureFiles(str(tmp_path / "%d.png")) as sink:
        sink.open(make_info())
        (tmp_path / "0.png").mkdir()
        with pytest.raises(SinkError, match="can't write"):
            sink.write(make_picture(0))
    assert [path.name for path in tmp_path.iterdir()] == ["0.png"]


def test_a_size_that_a_format_can_not_hold_is_told(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture
) -> None:
    with PictureFiles(str(tmp_path / "%d.webp")) as sink:
        sink.open(make_info())
        with pytest.raises(SinkError, match="can't make"):
            sink.write(make_picture(0, image=np.zeros((2, 20_000, 3), np.uint8)))
