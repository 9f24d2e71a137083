"""The demo drive as a source."""

from __future__ import annotations

import numpy as np
import pytest

from rtseg.demo_drive import DemoDrive
from rtseg.errors import DataError, SourceError
from rtseg.stream.sources import SourceConfig, open_source


def test_it_is_the_drive_of_its_seed_with_its_truth() -> None:
    config = SourceConfig(uri="demo:5", size_wh=(160, 96), fps=12, start_s=0.5, max_frames=2)
    drive = DemoDrive(5, 160, 96, 12.0)
    with open_source(config) as source:
        assert source.info.hw == (96, 160)
        assert source.info.fps == 12
        assert not source.info.live
        frames = list(source)
    for position, frame in enumerate(frames):
        image, truth = drive.render(6 + position)
        np.testing.assert_array_equal(frame.image_bgr, image)
        np.testing.assert_array_equal(frame.truth, truth)
        assert frame.pts_s == pytest.approx(position / 12)


def test_it_ends_after_ten_seconds_unless_told_otherwise() -> None:
    def num(**settings: object) -> int | None:
        with open_source(SourceConfig.model_validate({"uri": "demo", **settings})) as source:
            return source.info.num_frames

    assert num() == 300
    assert num(duration_s=2.0) == 60
    assert num(fps=15) == 150
    assert num(duration_s=None) is None
    assert num(loop=True) is None
    assert num(loop=True, max_frames=40) == 40


def test_its_end_comes() -> None:
    settings = {"uri": "demo", "size_wh": (64, 48), "fps": 10, "duration_s": 0.5}
    with open_source(SourceConfig.model_validate(settings)) as source:
        assert len(list(source)) == 5
        assert source.read() is None


def test_for_ever_it_drives_on_instead_of_going_back() -> None:
    settings = {"uri": "demo", "size_wh": (64, 48), "fps": 10, "duration_s": 0.3, "loop": True}
    with open_source(SourceConfig.model_validate({**settings, "max_frames": 5})) as source:
        frames = list(source)
    np.testing.assert_array_equal(frames[4].image_bgr, DemoDrive(0, 64, 48, 10.0).render(4)[0])


def test_turned_with_its_truth() -> None:
    settings = {"uri": "demo:2", "size_wh": (96, 64), "max_frames": 1, "rotate": 90}
    with open_source(SourceConfig.model_validate({**settings, "flip": "horizontal"})) as source:
        frame = next(iter(source))
    image, truth = DemoDrive(2, 96, 64).render(0)
    np.testing.assert_array_equal(frame.image_bgr, np.rot90(image, -1)[:, ::-1])
    np.testing.assert_array_equal(frame.truth, np.rot90(truth, -1)[:, ::-1])


@pytest.mark.parametrize("uri", ["demo:", "demo:x", "demo:-1", "demo:1.5"])
def test_a_seed_is_a_whole_number(uri: str) -> None:
    with pytest.raises(SourceError, match="whole number"):
        open_source(SourceConfig(uri=uri))


def test_a_picture_too_small_to_draw() -> None:
    with pytest.raises(DataError, match="64"):
        open_source(SourceConfig(uri="demo", size_wh=(32, 32)))
