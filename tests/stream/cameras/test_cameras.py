"""What the cameras of a run are called, and what each of them is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rtseg.config import validate
from rtseg.errors import ConfigError
from rtseg.stream.cameras.cameras import cameras_of, own_path
from rtseg.stream.settings import StreamConfig


def config_of(*cameras: Any, **keys: Any) -> StreamConfig:
    return validate(StreamConfig, {"cameras": list(cameras), **keys}, "test")


@pytest.mark.parametrize(
    ("output", "first", "second"),
    [
        ("out.mp4", "out-1.mp4", "out-2.mp4"),
        ("drives/a.b.mkv", "drives/a.b-1.mkv", "drives/a.b-2.mkv"),
        ("{camera}.mp4", "front.mp4", "rear.mp4"),
        ("{camera}/drive-{camera}.mkv", "front/drive-front.mkv", "rear/drive-rear.mkv"),
        ("frames/%06d.png", "frames-1/%06d.png", "frames-2/%06d.png"),
        ("%06d.png", "%06d-1.png", "%06d-2.png"),
        ("masks", "masks-1", "masks-2"),
        ("null", "null", "null"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ],
)
def test_every_camera_has_outputs_of_its_own(output: str, first: str, second: str) -> None:
    assert own_path(output, "front", 1) == first
    assert own_path(output, "rear", 2) == second
    config = config_of(
        {"uri": "demo", "name": "front"},
        {"uri": "demo:1", "name": "rear"},
        outputs=["window", output],
        masks="m.mkv",
        stats="{camera}.jsonl",
    )
    one, two = (camera.config for camera in cameras_of(config))
    assert (one.outputs, two.outputs) == ((first,), (second,)), "the window is for all of them"
    assert (one.masks, two.masks) == (Path("m-1.mkv"), Path("m-2.mkv"))
    assert (one.stats, two.stats) == (Path("front.jsonl"), Path("rear.jsonl"))


def test_a_camera_alone_keeps_the_paths_as_they_are() -> None:
    (camera,) = cameras_of(config_of("demo", outputs=["out.mp4"], stats="{camera}.jsonl"))
    assert camera.config.outputs == ("out.mp4",)
    assert camera.config.stats == Path("cam1.jsonl")
    assert not camera.config.cameras


def test_names_become_keys_that_are_safe_anywhere() -> None:
    cameras = cameras_of(
        config_of(
            "rtsp://me:secret@host/1",
            {"uri": "0", "name": "Hof / Einfahrt (Süd)"},
            {"uri": "demo", "name": "../../etc/passwd"},
            {"uri": "demo", "name": "後方"},
        )
    )
    assert [camera.key for camera in cameras] == ["cam1", "hof-einfahrt-sud", "etc-passwd", "cam4"]
    assert [camera.name for camera in cameras][:2] == ["cam1", "Hof / Einfahrt (Süd)"]
    assert "secret" not in str([(camera.key, camera.name) for camera in cameras])


@pytest.mark.parametrize("names", [("front", "front"), ("A 1", "a-1"), ("cam2", None)])
def test_two_cameras_of_one_name_are_refused(names: tuple[str | None, ...]) -> None:
    config = config_of(*({"uri": "demo", "name": name} for name in names))
    with pytest.raises(ConfigError, match=f"two are called '{names[0]}'"):
        cameras_of(config)


def test_a_camera_takes_from_source_what_it_does_not_set() -> None:
    config = config_of(
        0,
        "demo:3",
        {"uri": "demo", "loop": False, "fps": 10},
        source={"uri": "unused", "loop": True, "size_wh": "320x192"},
    )
    assert [camera.uri for camera in config.cameras] == ["0", "demo:3", "demo"]
    assert [camera.loop for camera in config.cameras] == [True, True, False]
    assert [camera.fps for camera in config.cameras] == [None, None, 10]
    assert {camera.size_wh for camera in config.cameras} == {(320, 192)}
    again = validate(StreamConfig, config.model_dump(mode="json"), "again")
    assert again == config
    assert cameras_of(again)[2].config.source.fps == 10


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"cameras": [{"name": "front"}]}, "uri"),
        ({"cameras": [{"uri": "demo", "looop": True}]}, "loop"),
        ({"cameras": [3.5]}, "cameras"),
        ({"cameras": "demo"}, "cameras"),
        ({"mosaic": "all.mp4"}, "a mosaic shows several sources"),
    ],
)
def test_what_is_wrong_with_a_camera_is_said(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validate(StreamConfig, keys, "test")
