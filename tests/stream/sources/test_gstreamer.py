"""GStreamer pipelines: those that are built, and, where OpenCV has GStreamer, those that run."""

from __future__ import annotations

import shutil
from typing import Any

import cv2
import numpy as np
import pytest

from rtseg.errors import SourceError
from rtseg.stream.sources import ReconnectConfig, SourceConfig, open_source
from rtseg.stream.sources.gstreamer import csi_pipeline, elements_of, gst_pipeline

HAS_GSTREAMER = cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER)
NEWEST = "appsink drop=true max-buffers=1 sync=false"


def test_the_pipeline_of_a_jetson_camera() -> None:
    assert csi_pipeline(SourceConfig(uri="csi://0")) == (
        "nvarguscamerasrc sensor-id=0 ! "
        "video/x-raw(memory:NVMM),width=1280,height=720,framerate=30/1 ! "
        "nvvidconv flip-method=0 ! video/x-raw,format=BGRx ! videoconvert ! "
        f"video/x-raw,format=BGR ! {NEWEST}"
    )


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"uri": "csi://1"}, "sensor-id=1 "),
        ({"size_wh": (1920, 1080)}, "width=1920,height=1080,"),
        ({"fps": 60}, "framerate=60/1 "),
        ({"fps": 29.97}, "framerate=30000/1001 "),
        ({"fps": 12.5}, "framerate=12500/1000 "),
        ({"rotate": 90}, "flip-method=3 "),
        ({"rotate": 180}, "flip-method=2 "),
        ({"rotate": 270}, "flip-method=1 "),
        ({"flip": "both"}, "flip-method=2 "),
        ({"flip": "horizontal"}, "flip-method=4 "),
        ({"flip": "vertical"}, "flip-method=6 "),
        ({"rotate": 90, "flip": "horizontal"}, "flip-method=7 "),
        ({"rotate": 90, "flip": "vertical"}, "flip-method=5 "),
    ],
)
def test_what_is_set_is_in_it(settings: dict[str, Any], part: str) -> None:
    assert part in csi_pipeline(SourceConfig.model_validate({"uri": "csi://0", **settings}))


@pytest.mark.parametrize("uri", ["csi://", "csi://front", "csi://-1"])
def test_a_jetson_camera_has_a_number(uri: str) -> None:
    with pytest.raises(SourceError, match="csi://0"):
        open_source(SourceConfig(uri=uri))


def test_a_pipeline_without_an_end_gets_one_for_the_newest_picture() -> None:
    end = f" ! videoconvert ! video/x-raw,format=BGR ! {NEWEST}"
    assert gst_pipeline("gst://videotestsrc ! identity") == f"videotestsrc ! identity{end}"
    assert gst_pipeline("gst://v4l2src ! ") == f"v4l2src{end}"
    own = "videotestsrc ! videoconvert ! appsink max-buffers=3"
    assert gst_pipeline(f"gst://{own}") == own


def test_the_elements_of_a_pipeline() -> None:
    own = ["nvarguscamerasrc", "nvvidconv", "videoconvert", "appsink"]
    assert elements_of(csi_pipeline(SourceConfig(uri="csi://0"))) == own
    assert elements_of("a ! b name=x ! video/x-raw,format=BGR ! x. ! 'q r' ! a") == ["a", "b"]


def test_no_pipeline() -> None:
    with pytest.raises(SourceError, match="needs a pipeline"):
        open_source(SourceConfig(uri="gst://"))


@pytest.mark.skipif(HAS_GSTREAMER, reason="this OpenCV has GStreamer")
@pytest.mark.parametrize("uri", ["csi://0", "gst://rtspsrc location=rtsp://me:secret@camera/"])
def test_without_gstreamer_it_is_said_what_to_install(uri: str) -> None:
    with pytest.raises(SourceError, match="apt install python3-opencv") as caught:
        open_source(SourceConfig(uri=uri))
    assert "secret" not in str(caught.value)


@pytest.mark.skipif(not HAS_GSTREAMER, reason="this OpenCV has no GStreamer")
def test_a_pipeline_that_ends_ends_a_source_that_is_not_opened_anew() -> None:
    test_picture = "videotestsrc num-buffers=5 pattern=red ! video/x-raw,width=64,height=48"
    uri = f"gst://{test_picture} ! videoconvert ! video/x-raw,format=BGR ! appsink"
    config = SourceConfig(uri=uri, reconnect=ReconnectConfig(limit=0))
    with open_source(config, newest=False) as source:
        assert source.info.live
        assert source.info.hw == (48, 64)
        frames = list(source)
    assert len(frames) == 5
    np.testing.assert_allclose(frames[0].image_bgr[24, 32], (0, 0, 255), atol=3)


@pytest.mark.skipif(not HAS_GSTREAMER or not shutil.which("gst-inspect-1.0"), reason="no GStreamer")
def test_a_pipeline_that_does_not_play() -> None:
    with pytest.raises(SourceError, match="no element 'nosuchelement'"):
        open_source(SourceConfig(uri="gst://nosuchelement ! videoconvert"))
    with pytest.raises(SourceError, match="gst-launch"):
        open_source(SourceConfig(uri="gst://filesrc location=/no/such/file"))
