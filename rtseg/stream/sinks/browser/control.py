"""What a click on the page does to the running stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from rtseg.config import Config, validate
from rtseg.errors import ConfigError
from rtseg.stream.controls import Controls
from rtseg.stream.overlay.style import OverlayStyle
from rtseg.stream.sinks.sink import StreamInfo


class ControlRequest(Config):
    """The body of ``POST /api/control``; what is left out stays as it is."""

    camera: str | None = Field(
        default=None,
        max_length=128,
        description='The key of a camera; "*": all of them; left out: the only one.',
    )
    overlay: dict[str, Any] = Field(
        default_factory=dict, description="Keys of the overlay's style and their new values."
    )
    pause: bool | None = Field(default=None, description="Let the stream wait, or go on.")
    step: bool = Field(default=False, description="Pause, and let one picture through.")
    record: bool | None = Field(default=None, description="Let recordings take pictures, or not.")


def read_request(body: Any) -> ControlRequest:
    """Return the request of a JSON body.

    Raises:
        ConfigError: the body is none.
    """
    if not isinstance(body, dict):
        raise ConfigError('a control is a JSON object, such as {"overlay": {"alpha": 0.3}}')
    return validate(ControlRequest, body, "control")


def style_after(info: StreamInfo, changes: dict[str, Any]) -> OverlayStyle:
    """Return the overlay's style with the changes.

    Raises:
        RtsegError: a key, a value or the name of a class is none that there is.
    """
    old = info.controls.style.model_dump(mode="json")
    style = validate(OverlayStyle, {**old, **changes}, "control: overlay")
    for name in (*style.classes, *style.hide):
        info.classes.id_of(name)
    return style


def act(streams: Sequence[StreamInfo], request: ControlRequest) -> None:
    """Do what a request asks with each of the streams; all of it or nothing.

    Raises:
        RtsegError: a change can't be made.
    """
    styles = [style_after(info, request.overlay) for info in streams] if request.overlay else []
    for info, style in zip(streams, styles, strict=False):
        info.controls.style = style
    for info in streams:
        _drive(info.controls, request)


def _drive(controls: Controls, request: ControlRequest) -> None:
    if request.record is not None:
        controls.record(request.record)
    if request.pause is not None:
        controls.pause(request.pause)
    if request.step:
        if not controls.paused:
            controls.pause()
        controls.step()
