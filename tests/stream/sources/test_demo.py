"""The demo drive as a source."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rtseg.demo_drive import DemoDrive
from rtseg.errors import DataError, SourceError
from rtseg.stream.sources import Source, SourceConfig, open_source

WH, FPS = (96, 64), 10.0


@pytest.fixture(scope="module")
def drive() -> DemoDrive:
    return DemoDrive(5, *WH, FPS)


def opened(**settings: Any) -> Source:
    return open_source(SourceConfig(uri="demo:5", size_wh=WH, fps=FPS, **settings))


def test_it_is_the_drive_of_its_seed_with_its_truth(drive: DemoDrive) -> None:
    with opened(start_s=0.5, duration_s=0.8) as source:
        assert source.info.hw == (64, 96)
        assert source.info.fps == 10
        assert not source.info.live
        assert source.info.num_frames == 3
        frames = list(source)
        assert source.read() is None
    assert [frame.pts_s for frame in frames] == pytest.approx([0, 0.1, 0.2])
    for position, frame in enumerate(frames):
        image, truth = drive.render(5 + position)
        np.testing.assert_array_equal(frame.image_bgr, image)
        np.testing.assert_array_equal(frame.truth, truth)


def test_it_ends_after_ten_seconds_unless_told_otherwise() -> None:
    with open_source(SourceConfig()) as source:
        assert source.info.name == "demo"
        assert source.info.hw == (360, 640)
        assert source.info.num_frames == 300
    with opened(duration_s=None) as source:
        assert source.info.num_frames is None
    with opened(loop=True, max_frames=40) as source:
        assert source.info.num_frames == 40


def test_for_ever_it_drives_on_turned_with_its_truth(drive: DemoDrive) -> None:
    orientation = {"rotate": 90, "flip": "horizontal"}
    with opened(duration_s=0.3, loop=True, max_frames=5, **orientation) as source:
        frames = list(source)
    image, truth = drive.render(4)
    np.testing.assert_array_equal(frames[4].image_bgr, np.rot90(image, -1)[:, ::-1])
    np.testing.assert_array_equal(frames[4].truth, np.rot90(truth, -1)[:, ::-1])


@pytest.mark.parametrize("uri", ["demo:", "demo:x", "demo:-1", "demo:1.5"])
def test_a_seed_is_a_whole_number(uri: str) -> None:
    with pytest.raises(SourceError, match="whole number"):
        open_source(SourceConfig(uri=uri))


def test_a_picture_too_small_to_draw() -> None:
    with pytest.raises(DataError, match="64"):
        open_source(SourceConfig(uri="demo", size_wh=(32, 32)))
