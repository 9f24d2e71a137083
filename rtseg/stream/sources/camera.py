"""Cameras: `0`, `/dev/video0`, through OpenCV and, on Linux, Video4Linux."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import cv2

from rtseg.errors import SourceError
from rtseg.stream.sources._opencv import OpenCVCapture, quiet_opencv
from rtseg.stream.sources._v4l2 import check_camera
from rtseg.stream.sources.capture import SOURCES
from rtseg.stream.sources.settings import SourceConfig

_LOG = logging.getLogger(__name__)


@SOURCES.register("camera")
class CameraCapture(OpenCVCapture):
    """The newest picture of a camera. What it doesn't grant of the wanted settings is told."""

    def __init__(self, config: SourceConfig) -> None:
        self.name = config.uri
        self._refused: list[str] = []
        place: int | str = config.uri
        if sys.platform.startswith("linux"):
            place = _device(config.uri)
            check_camera(Path(place))
        elif config.uri.isdecimal():
            place = int(config.uri)
        with quiet_opencv():
            backend = cv2.CAP_V4L2 if sys.platform.startswith("linux") else cv2.CAP_ANY
            self._capture = cv2.VideoCapture(place, backend)
        try:
            self._set_up(config)
        except BaseException:
            self.close()
            raise

    @classmethod
    def matches(cls, uri: str) -> bool:
        """Return whether `uri` is a number or a device."""
        return uri.isdecimal() or uri.startswith("/dev/")

    def problems(self) -> list[str]:
        """Return the settings that the camera refused, and how many pictures were damaged."""
        return [*self._refused, *super().problems()]

    def _set_up(self, config: SourceConfig) -> None:
        if not self._capture.isOpened():
            raise SourceError(
                f"the camera {self.name} can't be opened; is another program using it?"
            )
        with quiet_opencv():
            self._refused = request(self._capture, config, self.name)
        for line in self._refused:
            _LOG.warning("%s", line)
        self._begin(config)


def request(capture: Any, config: SourceConfig, name: str) -> list[str]:
    """Ask an open `cv2.VideoCapture` for what is wanted; return a line for each thing refused."""
    # The pixel format comes first: it decides which sizes and rates there are.
    if config.fourcc:
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*config.fourcc))
    if config.size_wh:
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, config.size_wh[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, config.size_wh[1])
    if config.fps:
        capture.set(cv2.CAP_PROP_FPS, config.fps)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    refused = []
    size_wh = _whole(capture, cv2.CAP_PROP_FRAME_WIDTH), _whole(capture, cv2.CAP_PROP_FRAME_HEIGHT)
    if config.size_wh and size_wh != config.size_wh:
        wanted = f"{config.size_wh[0]}x{config.size_wh[1]}"
        refused.append(f"{name} gives {size_wh[0]}x{size_wh[1]} instead of {wanted}")
    code = _whole(capture, cv2.CAP_PROP_FOURCC).to_bytes(4, "little", signed=True)
    if config.fourcc and code != config.fourcc.encode():
        refused.append(f"{name} gives {code.decode('latin-1')!r} instead of {config.fourcc!r}")
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    if config.fps and abs(fps - config.fps) > 0.02 * config.fps:
        refused.append(f"{name} gives {fps:g} frames per second instead of {config.fps:g}")
    return refused


def _whole(capture: Any, setting: int) -> int:
    return int(capture.get(setting))


def _device(uri: str) -> str:
    return f"/dev/video{int(uri)}" if uri.isdecimal() else uri
