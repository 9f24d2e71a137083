"""One of several cameras: its stream, and what ended it."""

from __future__ import annotations

import logging

from rtseg.errors import RtsegError
from rtseg.stream.cameras.board import Place
from rtseg.stream.cameras.cameras import Camera
from rtseg.stream.cameras.several_summary import CameraResult
from rtseg.stream.controls import Controls
from rtseg.stream.run import Stream

_log = logging.getLogger(__name__)


class Member:
    """A camera with its stream.

    Args:
        camera: what it is called, and its configuration.
    """

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.place = Place(camera.name)
        """Where its pictures go on the mosaic."""
        self.controls = Controls(camera.config.overlay)
        self.stream: Stream | None = None
        """None until it is open, and where it couldn't be opened."""
        self.error: BaseException | None = None
        """What ended it, if not its own end or a stop."""

    @property
    def may_come_later(self) -> bool:
        """Whether the others don't wait for it."""
        return self.camera.config.source.wait

    @property
    def is_settled(self) -> bool:
        """Whether it is open, or never will be."""
        return self.stream is not None or self.error is not None

    def fail(self, error: BaseException) -> None:
        """Note what ended the camera's stream, and tell; the first reason stays."""
        if self.error is not None:
            return
        self.error = error
        self.place.end("failed")
        text = f"{self.camera.name}: {' '.join(str(error).split()) or type(error).__name__}"
        if self.stream is not None:
            self.stream.events.add("failed", text, level=logging.ERROR)
        else:
            _log.error("%s", text)
        if not isinstance(error, RtsegError):
            _log.error("this is a fault of the program", exc_info=error)

    def result(self) -> CameraResult:
        """Return the camera's figures, and its failure."""
        summary = self.stream.summary() if self.stream is not None else None
        return CameraResult(self.camera.key, self.camera.name, summary, self.error)
