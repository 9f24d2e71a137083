"""Class maps: reading them back gives the very arrays, their times and their classes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from rtseg.classes import CAMVID, CITYSCAPES
from rtseg.errors import DataError, SinkError
from rtseg.frames import Picture
from rtseg.stream.sinks import read_class_maps, read_classes
from rtseg.stream.sinks.class_maps import ClassMapSink
from rtseg.stream.sinks.sink import StreamInfo

MakeInfo = Callable[..., StreamInfo]
MakePicture = Callable[..., Picture]
PLACES = ["masks.mkv", "masks"]


def random_maps(number: int, hw: tuple[int, int] = (47, 65)) -> list[Any]:
    """Return noise of all 256 values, the worst that there is for a lossless codec."""
    return list(np.random.default_rng(number).integers(0, 256, (number, *hw), np.uint8))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("live", [False, True])
def test_reading_back_gives_the_very_arrays_and_times(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture, place: str, live: bool
) -> None:
    maps = random_maps(25)
    times = np.cumsum(np.random.default_rng(1).uniform(0.005, 0.2, 25)).tolist()
    with ClassMapSink(tmp_path / place) as sink:
        sink.open(make_info(None, live=live))
        for index, (labels, pts_s) in enumerate(zip(maps, times, strict=True)):
            sink.write(make_picture(index, pts_s, labels=labels))
    read = list(read_class_maps(tmp_path / place))
    assert [pts_s for pts_s, _ in read] == pytest.approx(times, abs=0.001)
    np.testing.assert_array_equal([labels for _, labels in read], maps)
    assert read_classes(tmp_path / place) == CAMVID
    assert sink.problems() == []


@pytest.mark.parametrize("place", PLACES)
def test_every_size_is_kept(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture, place: str
) -> None:
    for hw in [(16, 16), (17, 33), (721, 16), (19, 1281)]:
        path = tmp_path / f"{hw[0]}_{hw[1]}" / place
        [labels] = random_maps(1, hw)
        with ClassMapSink(path) as sink:
            sink.open(make_info())
            sink.write(make_picture(0, labels=labels))
        [(_, read)] = read_class_maps(path)
        np.testing.assert_array_equal(read, labels)


@pytest.mark.parametrize("place", PLACES)
def test_pictures_may_change_their_size(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture, place: str
) -> None:
    maps = [*random_maps(3), *random_maps(4, (20, 30)), *random_maps(2)]
    for run in range(2):  # the second replaces the first, whose film had more parts
        maps = maps if run == 0 else maps[:5]
        with ClassMapSink(tmp_path / place, overwrite=run > 0) as sink:
            sink.open(make_info())
            for index, labels in enumerate(maps):
                sink.write(make_picture(index, labels=labels))
        read = list(read_class_maps(tmp_path / place))
        assert [pts_s for pts_s, _ in read] == pytest.approx([i / 25 for i in range(len(maps))])
        for (_, labels), written in zip(read, maps, strict=True):
            np.testing.assert_array_equal(labels, written)
        assert bool(sink.problems()) == (place == "masks.mkv")


@pytest.mark.parametrize("place", PLACES)
def test_what_exists_is_kept_unless_told_otherwise(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture, place: str
) -> None:
    path = tmp_path / place
    for overwrite, labels in ((False, random_maps(1)[0]), (True, random_maps(2)[1])):
        with ClassMapSink(path, overwrite=overwrite) as sink:
            sink.open(make_info())
            sink.write(make_picture(0, labels=labels))
        with pytest.raises(SinkError, match="--overwrite"):
            ClassMapSink(path).open(make_info())
        [(_, read)] = read_class_maps(path)
        np.testing.assert_array_equal(read, labels)


def test_the_pictures_in_a_folder_are_eight_bit_grey_and_named_by_index(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture
) -> None:
    maps = random_maps(2)
    with ClassMapSink(tmp_path) as sink:
        sink.open(make_info())
        for index, labels in zip((4, 9), maps, strict=True):
            sink.write(make_picture(index, labels=labels))
    for name, labels in zip(("000004.png", "000009.png"), maps, strict=True):
        read = cv2.imread(str(tmp_path / name), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(read, labels)
    assert json.loads((tmp_path / "classes.json").read_text())["names"] == list(CAMVID.names)


@pytest.mark.parametrize("name", ["masks.mp4", "masks.png", "m.npz"])
def test_files_that_would_not_keep_them_are_refused(
    tmp_path: Path, make_info: MakeInfo, name: str
) -> None:
    with pytest.raises(SinkError, match=r"FILE\.mkv or a folder"):
        ClassMapSink(tmp_path / name).open(make_info())
    assert list(tmp_path.iterdir()) == []


def test_what_are_no_class_maps_is_told(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture
) -> None:
    from rtseg.stream.sinks.recording import Recording

    film = tmp_path / "film.mkv"
    with Recording(str(film)) as sink:
        sink.open(make_info())
        sink.write(make_picture(0))
    (tmp_path / "text.mkv").write_text("no film")
    (tmp_path / "empty").mkdir()
    for path in (film, tmp_path / "text.mkv", tmp_path / "empty", tmp_path / "missing.mkv"):
        with pytest.raises(DataError, match=path.name):
            list(read_class_maps(path))
        with pytest.raises(DataError, match=path.name):
            read_classes(path)


def test_class_names_of_any_kind_are_kept(tmp_path: Path, make_picture: MakePicture) -> None:
    from dataclasses import replace

    from rtseg.stream.controls import Controls
    from rtseg.stream.latency import Latency
    from rtseg.stream.sources.source import SourceInfo

    classes = replace(CITYSCAPES, names=("Straße; =#\\", "道路", *CITYSCAPES.names[2:]))
    info = StreamInfo(SourceInfo("s", (8, 8), 25, False), classes, "e", Controls(), Latency())
    for place in PLACES:
        with ClassMapSink(tmp_path / place) as sink:
            sink.open(info)
            sink.write(make_picture(0))
        assert read_classes(tmp_path / place) == classes
