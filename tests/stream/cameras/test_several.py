"""Several cameras on one engine: each on its own, none in another's way."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import torch

from rtseg.backends.base import Engine, EngineInfo
from rtseg.backends.eager import EagerEngine
from rtseg.classes import CAMVID
from rtseg.config import validate
from rtseg.errors import EngineError, SinkError, SourceError
from rtseg.frames import Picture
from rtseg.stream.cameras.cameras import Camera
from rtseg.stream.cameras.several import Several
from rtseg.stream.engine_request import EngineRequest
from rtseg.stream.settings import StreamConfig
from rtseg.stream.sinks import read_class_maps
from rtseg.stream.sinks.sink import Sink
from rtseg.stream.sources.capture import Shot
from rtseg.stream.sources.images import PictureCapture

HW = (32, 48)
NUM_PICTURES = 12


class Levels(torch.nn.Module):
    """The brightness of each pixel in steps of 24 as its class, after a while."""

    def __init__(self, takes_s: float) -> None:
        super().__init__()
        self.takes_s = takes_s

    def forward(self, images_bgr: torch.Tensor) -> torch.Tensor:
        time.sleep(self.takes_s)
        return (images_bgr[..., 0].to(torch.int32) // 24).to(torch.int8)


class Opener:
    """Opens engines, and counts them."""

    def __init__(self, batch: int = 1, takes_s: float = 0.0) -> None:
        self.batch, self.takes_s = batch, takes_s
        self.opened: list[Engine] = []

    def __call__(self, request: EngineRequest) -> Engine:
        info = EngineInfo("levels", "eager", "fp32", "cpu", CAMVID, HW, self.batch)
        engine = EagerEngine(Levels(self.takes_s), info, torch.device("cpu"), request.parallelism)
        self.opened.append(engine)
        return engine


class FailingSink(Sink):
    """Fails at a picture."""

    name = "failing"

    def __init__(self, at: int) -> None:
        self.at = at

    def write(self, picture: Picture) -> None:
        if picture.frame.index == self.at:
            raise SinkError("the disk is full")


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    before = set(threading.enumerate())
    threads = cv2.getNumThreads()
    yield
    assert set(threading.enumerate()) <= before
    assert cv2.getNumThreads() == threads


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three folders of pictures whose brightness counts: the one of camera n begins at 3 n."""
    made = []
    for number in range(3):
        made.append(tmp_path_factory.mktemp("pictures"))
        for index in range(NUM_PICTURES):
            image = np.full((40, 60, 3), 24 * level(number, index) + 12, np.uint8)
            cv2.imwrite(str(made[-1] / f"{index}.png"), image)
    return [str(folder) for folder in made]


def level(number: int, index: int) -> int:
    return (index + 3 * number) % 10


def config_of(cameras: Sequence[Any], **keys: Any) -> StreamConfig:
    values = {"cameras": list(cameras), "outputs": ["null"], **keys}
    return validate(StreamConfig, values, "test")


@pytest.mark.parametrize("batch", [1, 4])
def test_each_camera_has_its_own_pictures_and_outputs(
    tmp_path: Path, folders: list[str], batch: int
) -> None:
    config = config_of(
        [{"uri": folder, "name": f"Side {n}"} for n, folder in enumerate(folders)],
        outputs=[str(tmp_path / "{camera}.mp4")],
        masks=tmp_path / "masks.mkv",
        stats=tmp_path / "stats.jsonl",
    )
    opener = Opener(batch)
    with Several(config, opener) as several:
        summary = several.run()
    assert len(opener.opened) == 1, "one engine for all"
    assert summary.pictures == 3 * NUM_PICTURES
    assert not summary.failures
    for number in range(3):
        masks = [m for _, m in read_class_maps(tmp_path / f"masks-{number + 1}.mkv")]
        seen = [np.unique(labels).tolist() for labels in masks]
        assert seen == [[level(number, index)] for index in range(NUM_PICTURES)]
        with av.open(str(tmp_path / f"side-{number}.mp4")) as film:
            assert sum(1 for _ in film.decode(video=0)) == NUM_PICTURES
        lines = (tmp_path / f"stats-{number + 1}.jsonl").read_text().splitlines()
        assert sum("index" in json.loads(line) for line in lines) == NUM_PICTURES


def test_a_source_that_fails_leaves_the_others_alone(
    folders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    retrieve = PictureCapture.retrieve

    def failing(capture: PictureCapture) -> Shot | None:
        if capture.name == folders[1] and capture._next > 5:
            raise SourceError("the cable is cut")
        return retrieve(capture)

    monkeypatch.setattr(PictureCapture, "retrieve", failing)
    with Several(config_of(folders), Opener()) as several:
        summary = several.run()
    assert summary.failures == {"cam2": "the cable is cut"}
    pictures = [one.summary.pictures for one in summary.cameras if one.summary is not None]
    assert pictures == [NUM_PICTURES, 5, NUM_PICTURES]
    (event,) = (e for e in several.streams["cam2"].events.since() if e.kind == "failed")
    assert event.text == "cam2: the cable is cut"


def test_an_output_that_fails_ends_its_own_camera_alone(folders: list[str]) -> None:
    def sinks(camera: Camera) -> list[Sink]:
        return [FailingSink(4)] if camera.key == "cam1" else []

    with Several(config_of(folders[:2]), Opener(), sinks) as several:
        summary = several.run()
    assert summary.failures == {"cam1": "the disk is full"}
    assert summary.cameras[1].summary is not None
    assert summary.cameras[1].summary.pictures == NUM_PICTURES


def test_a_camera_that_cannot_be_opened_leaves_the_others_alone(
    tmp_path: Path, folders: list[str]
) -> None:
    with Several(config_of([str(tmp_path / "gone.mp4"), folders[0]]), Opener()) as several:
        assert list(several.streams) == ["cam2"]
        summary = several.run()
    assert list(summary.failures) == ["cam1"]
    assert "gone.mp4" in summary.failures["cam1"]
    cameras = summary.to_dict()["cameras"]
    assert (cameras[0]["key"], cameras[1]["pictures"]) == ("cam1", NUM_PICTURES)
    json.dumps(summary.to_dict())


def test_without_any_camera_there_is_nothing_to_run(tmp_path: Path) -> None:
    config = config_of([str(tmp_path / "a.mp4"), str(tmp_path / "b.mp4")])
    with pytest.raises(
        SourceError, match=r"none of 2 cameras can be opened: cam1: .*a\.mp4.*b\.mp4"
    ):
        Several(config, Opener())


def test_an_engine_that_cannot_be_had_concerns_all(folders: list[str]) -> None:
    def no_engine(request: EngineRequest) -> Engine:
        raise EngineError("there is no engine")

    with pytest.raises(EngineError, match="there is no engine"):
        Several(config_of(folders), no_engine)


def test_a_joint_stop_ends_all(folders: list[str]) -> None:
    with Several(config_of(folders, source={"loop": True}), Opener()) as several:
        threading.Timer(0.3, several.controls.stop).start()
        start_s = time.monotonic()
        summary = several.run()
    assert time.monotonic() - start_s < 6
    assert all(one.summary is not None and one.summary.stopped for one in summary.cameras)
    assert not summary.failures


def test_what_is_done_to_all_is_done_to_each(folders: list[str]) -> None:
    with Several(config_of(folders[:2]), Opener()) as several:
        controls = [stream.controls for stream in several.streams.values()]
        several.controls.pause()
        several.controls.record(False)
        several.controls.style = several.controls.style.model_copy(update={"alpha": 0.9})
        assert all(one.paused and not one.recording for one in controls)
        assert {one.style.alpha for one in controls} == {0.9}
        several.controls.pause(False)
        assert not any(one.paused for one in controls)


def test_one_engine_serves_two_files_alike(folders: list[str]) -> None:
    with Several(config_of(folders[:2], source={"loop": True}), Opener(takes_s=0.02)) as several:
        threading.Timer(1.5, several.controls.stop).start()
        summary = several.run()
    counts = [one.summary.pictures for one in summary.cameras if one.summary is not None]
    assert min(counts) > 10
    assert max(counts) - min(counts) <= 0.15 * max(counts) + 3


def test_a_mosaic_of_all_cameras_is_recorded(tmp_path: Path, folders: list[str]) -> None:
    film = tmp_path / "all.mp4"
    cameras = [folders[0], {"uri": folders[1], "name": "rear"}, str(tmp_path / "gone.mp4")]
    config = config_of(cameras, source={"loop": 4}, mosaic=film)
    with Several(config, Opener(takes_s=0.01)) as several:
        summary = several.run()
    assert summary.pictures == 2 * 4 * NUM_PICTURES
    with av.open(str(film)) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    height, width = frames[-1].shape[:2]
    assert width > height > 100
    left, right = frames[-1][: height // 2, : width // 2], frames[-1][: height // 2, width // 2 :]
    assert left.mean() > 20
    assert right.mean() > 20
