from __future__ import annotations

import doctest
import threading
from pathlib import Path

import av
import numpy as np
import pytest

import rtseg
import rtseg.api
from rtseg.demo_drive import DemoDrive
from rtseg.errors import ConfigError, DataError, WeightsError
from rtseg.metrics import confusion_counts, pixel_accuracy

SMALL = {"engine.size_wh": (96, 64), "engine.backend": "eager", "source.size_wh": (160, 96)}


def test_the_examples_of_the_documentation_run() -> None:
    results = doctest.testmod(rtseg.api, raise_on_error=False)
    assert results.attempted >= 6
    assert results.failed == 0


def test_a_segmenter_knows_a_street() -> None:
    drive = DemoDrive(seed=900, width=480, height=360)
    with rtseg.Segmenter("ddrnet-23-slim-camvid") as segment:
        image, truth = drive.render(0)
        class_map = segment(image)
    assert class_map.frame.image_bgr is image
    assert class_map.labels.shape == truth.shape
    assert pixel_accuracy(confusion_counts(truth, class_map.labels, 11)) > 0.8


def test_a_segmenter_takes_pictures_of_any_size() -> None:
    with rtseg.Segmenter(size_wh=(96, 64), backend="eager") as segment:
        for hw in ((64, 96), (33, 77), (100, 40)):
            assert segment(np.zeros((*hw, 3), np.uint8)).labels.shape == hw


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ConfigError, match="backend"):
        rtseg.Segmenter(backened="eager")
    with pytest.raises(WeightsError, match="linknet-camvid"):
        rtseg.Segmenter("linknet-camvit")(np.zeros((64, 96, 3), np.uint8))
    with rtseg.Segmenter(size_wh=(96, 64)) as segment, pytest.raises(DataError, match="uint8"):
        segment(np.zeros((64, 96, 3), np.float32))


def test_a_stream_yields_every_picture_in_order() -> None:
    pictures = list(rtseg.stream("demo", settings={**SMALL, "source.max_frames": 7}))
    assert [picture.frame.index for picture in pictures] == list(range(7))
    assert all(picture.class_map.frame is picture.frame for picture in pictures)


def test_leaving_the_loop_ends_the_stream_and_keeps_the_recording(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    before = threading.active_count()
    for picture in rtseg.stream("demo", outputs=[str(film)], settings=SMALL):
        if picture.frame.index == 3:
            break
    assert threading.active_count() == before
    with av.open(str(film)) as container:
        assert len(list(container.decode(video=0))) >= 4
