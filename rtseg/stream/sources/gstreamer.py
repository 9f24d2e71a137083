"""`csi://0` (a Jetson's camera) and `gst://PIPELINE`, through an OpenCV with GStreamer."""

from __future__ import annotations

import re
import shutil
import subprocess

import cv2

from rtseg.errors import SourceError
from rtseg.stream.sources._opencv import OpenCVCapture, quiet_opencv
from rtseg.stream.sources.capture import SOURCES
from rtseg.stream.sources.live.faults import SETUP, fault
from rtseg.stream.sources.oriented import Orientation
from rtseg.stream.sources.settings import SourceConfig
from rtseg.stream.sources.uri import redact, scheme

CSI_WH = (1280, 720)
CSI_FPS = 30.0
_FLIP_METHODS = {
    Orientation(0): 0,
    Orientation(1): 3,
    Orientation(2): 2,
    Orientation(3): 1,
    Orientation(0, True): 4,
    Orientation(1, True): 7,
    Orientation(2, True): 6,
    Orientation(3, True): 5,
}
"""What nvvidconv calls them: 1 and 3 turn counterclockwise and clockwise, 5 and 7 the diagonals."""
_ELEMENT = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_INSPECT_S = 60
"""GStreamer's first look at its plugins takes a while."""
_NEWEST = "appsink drop=true max-buffers=1 sync=false"


@SOURCES.register("gstreamer")
class GStreamerCapture(OpenCVCapture):
    """The newest picture of a GStreamer pipeline; a pipeline that ends, ends the source."""

    ends_silently = True

    def __init__(self, config: SourceConfig) -> None:
        self.name = redact(config.uri)
        is_csi = scheme(config.uri) == "csi"
        self.turns_itself = is_csi
        pipeline = csi_pipeline(config) if is_csi else gst_pipeline(config.uri)
        _check_opencv(self.name)
        _check_elements(self.name, pipeline)
        with quiet_opencv():
            self._capture = _open(pipeline, config.timeout_s)
        try:
            if not self._capture.isOpened():
                raise SourceError(
                    f"GStreamer can't play {self.name}; to see why: "
                    f"gst-launch-1.0 '{redact(f'gst://{pipeline}').partition('://')[2]}'"
                )
            self._begin(config)
        except BaseException:
            self.close()
            raise

    @classmethod
    def matches(cls, uri: str) -> bool:
        """Return whether `uri` begins with ``csi://`` or ``gst://``."""
        return scheme(uri) in ("csi", "gst")

    def _silence(self) -> str:
        return f"{self.name} gave no picture; check the pipeline, and that its camera is plugged in"


def csi_pipeline(config: SourceConfig) -> str:
    """Return the pipeline of a Jetson's camera; turning costs nothing there.

    Raises:
        SourceError: what follows ``csi://`` is no number.
    """
    sensor = config.uri.partition("://")[2].strip("/")
    if not sensor.isdecimal():
        raise fault(
            SETUP, f"csi:// needs the number of the camera, such as csi://0; got {config.uri!r}"
        )
    (width, height), fps = config.size_wh or CSI_WH, config.fps or CSI_FPS
    flip_method = _FLIP_METHODS[Orientation.of_config(config)]
    return " ! ".join(
        [
            f"nvarguscamerasrc sensor-id={int(sensor)}",
            f"video/x-raw(memory:NVMM),width={width},height={height},framerate={_rate(fps)}",
            f"nvvidconv flip-method={flip_method}",
            "video/x-raw,format=BGRx",
            "videoconvert",
            "video/x-raw,format=BGR",
            _NEWEST,
        ]
    )


def gst_pipeline(uri: str) -> str:
    """Return the pipeline after ``gst://``; without an appsink it gets one for the newest picture.

    Raises:
        SourceError: there is none.
    """
    pipeline = uri.partition("://")[2].strip().rstrip("!").strip()
    if not pipeline:
        raise fault(SETUP, "gst:// needs a pipeline, such as 'gst://v4l2src ! videoconvert'")
    if "appsink" in pipeline:
        return pipeline
    return f"{pipeline} ! videoconvert ! video/x-raw,format=BGR ! {_NEWEST}"


def _rate(fps: float) -> str:
    """Return frames per second as GStreamer writes fractions: 30/1, 30000/1001."""
    for denominator in (1, 1001):
        numerator = round(fps * denominator / 1000) * 1000 if denominator > 1 else round(fps)
        if abs(numerator / denominator - fps) < 1e-3:
            return f"{numerator}/{denominator}"
    return f"{round(fps * 1000)}/1000"


def _check_opencv(name: str) -> None:
    if not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        raise fault(
            SETUP,
            f"{name} needs an OpenCV with GStreamer, which the one installed by pip is not: on a "
            "Jetson take JetPack's (pip uninstall opencv-python), on Debian and Ubuntu that of "
            "apt install python3-opencv, elsewhere build it with -D WITH_GSTREAMER=ON",
        )


def _check_elements(name: str, pipeline: str) -> None:
    """Look for each element by GStreamer's own tool, where it is: OpenCV before 4.8 would hang.

    Raises:
        SourceError: one is missing.
    """
    tool = shutil.which("gst-inspect-1.0")
    for element in elements_of(pipeline) if tool else []:
        command = [str(tool), "--exists", element]
        try:
            found = subprocess.run(command, capture_output=True, timeout=_INSPECT_S, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return
        if found.returncode == 1:
            raise fault(
                SETUP,
                f"{name}: this machine's GStreamer has no element {element!r}; install the plugin "
                "that brings it (nvarguscamerasrc is on Jetsons only)",
            )


def elements_of(pipeline: str) -> list[str]:
    """Return the names of a pipeline's elements, each once; caps, references and values are none.

    >>> elements_of("v4l2src device=/dev/video0 ! video/x-raw,width=64 ! tee name=t t. ! queue")
    ['v4l2src', 'tee', 'queue']
    """
    first_words = (piece.split(maxsplit=1)[0] for piece in pipeline.split("!") if piece.strip())
    return list(dict.fromkeys(word for word in first_words if _ELEMENT.fullmatch(word)))


def _open(pipeline: str, timeout_s: float) -> cv2.VideoCapture:
    """Open a pipeline with limits to waiting, or without where this OpenCV knows none."""
    wait_ms = int(1000 * timeout_s)
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, wait_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, wait_ms]
    capture = cv2.VideoCapture(pipeline, cv2.CAP_GSTREAMER, limits)
    return capture if capture.isOpened() else cv2.VideoCapture(pipeline, cv2.CAP_GSTREAMER)
