"""The cameras of a run: what each of them is called, and what its own stream is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from pydantic import Field

from rtseg.errors import ConfigError
from rtseg.stream.sources.settings import SourceConfig

if TYPE_CHECKING:
    from rtseg.stream.settings import StreamConfig

PLACE = "{camera}"
"""What stands for a camera's name in the path of an output."""
WINDOW = "window"


class CameraConfig(SourceConfig):
    """One of several cameras: a source, and what it is called."""

    uri: str = Field(min_length=1, description="As a single source.")
    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=60,
        description="How it is called in views, in names of files and in addresses; cam1, cam2, … "
        "unless set.",
    )


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera of a run.

    Args:
        key: what it is called in addresses and names of files: lower-case letters, digits and
            hyphens; differs from all others.
        name: what people call it.
        config: its stream: one source, outputs of its own, no window.
    """

    key: str
    name: str
    config: StreamConfig


def cameras_of(config: StreamConfig) -> list[Camera]:
    """Return the cameras of a run, each with a stream of its own.

    Raises:
        ConfigError: two of them have one name.
    """
    names = [camera.name or f"cam{n}" for n, camera in enumerate(config.cameras, 1)]
    keys = [_slug(name) or f"cam{n}" for n, name in enumerate(names, 1)]
    twice = next((name for name, key in zip(names, keys, strict=True) if keys.count(key) > 1), None)
    if twice is not None:
        raise ConfigError(
            f"cameras: two are called {twice!r} (names that differ in letters and digits alone "
            "count); give each one a name of its own"
        )
    one = len(keys) == 1
    return [
        Camera(key, name, _alone(config, source, key, None if one else number))
        for number, (key, name, source) in enumerate(
            zip(keys, names, config.cameras, strict=True), 1
        )
    ]


def in_full(values: Any) -> Any:
    """Return a run's keys with those of `source` under every camera that doesn't set them itself.

    A camera may be its address alone.
    """
    if not isinstance(values, Mapping) or not isinstance(values.get("cameras"), list | tuple):
        return values
    source = values.get("source")
    dumped = source.model_dump() if isinstance(source, SourceConfig) else source
    common = dict(dumped) if isinstance(dumped, Mapping) else {}
    common.pop("uri", None)
    return {**values, "cameras": [_camera_in_full(one, common) for one in values["cameras"]]}


def own_path(output: str, key: str, number: int | None) -> str:
    """Return a camera's own name of an output that is written as if for one.

    >>> own_path("drives/{camera}.mp4", "front", 1)
    'drives/front.mp4'
    >>> own_path("out.mp4", "front", 2)
    'out-2.mp4'

    Args:
        output: as in the configuration. ``{camera}`` stands for the camera's key.
        key: of the camera.
        number: which goes before the suffix where ``{camera}`` doesn't occur, or behind the
            folder of single pictures; None: the path stays as it is.
    """
    if PLACE in output:
        return output.replace(PLACE, key)
    if number is None or "://" in output or output == "null":
        return output
    path = PurePath(output)
    if "%" in path.name and path.parent.name:
        return str(path.parent.with_name(f"{path.parent.name}-{number}") / path.name)
    return str(path.with_name(f"{path.stem}-{number}{path.suffix}"))


def _camera_in_full(camera: Any, common: Mapping[str, Any]) -> Any:
    if isinstance(camera, CameraConfig):
        return camera
    given = {"uri": camera} if isinstance(camera, str | int) else camera
    if not isinstance(given, Mapping):
        return camera
    uri = {"uri": str(given["uri"])} if isinstance(given.get("uri"), int) else {}
    return {**common, **given, **uri}


def _alone(
    config: StreamConfig, camera: CameraConfig, key: str, number: int | None
) -> StreamConfig:
    def own(path: Path | None) -> Path | None:
        return None if path is None else Path(own_path(str(path), key, number))

    outputs = tuple(own_path(o, key, number) for o in config.outputs if o != WINDOW)
    source = SourceConfig.model_validate(camera.model_dump(exclude={"name"}))
    changes = {"cameras": (), "source": source, "outputs": outputs}
    return config.model_copy(
        update={**changes, "masks": own(config.masks), "stats": own(config.stats)}
    )


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
