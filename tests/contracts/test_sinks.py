"""What every registered sink owes: it takes any picture, ends well, and destroys nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rtseg.classes import CAMVID
from rtseg.errors import SinkError
from rtseg.frames import ClassMap, Frame, Picture
from rtseg.stream.controls import Controls
from rtseg.stream.latency import Latency
from rtseg.stream.sinks import SINKS, OutputSink, Sink, StreamInfo, make_sink
from rtseg.stream.sources.source import SourceInfo

NAMES = list(SINKS)
FILMS = {".mp4", ".mkv", ".mov"}

pytestmark = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def info() -> StreamInfo:
    source = SourceInfo("test", (48, 64), 25.0, live=False)
    return StreamInfo(source, CAMVID, "engine", Controls(), Latency())


def pictures(seed: int = 0) -> Iterator[Picture]:
    """Yield pictures as a stream may: dropped ones, odd sizes, a change of size, void, noise."""
    random = np.random.default_rng(seed)
    sizes = [(48, 64), (48, 64), (35, 51), (48, 64), (96, 40)]
    for number, hw in enumerate(sizes):
        image = random.integers(0, 256, (*hw, 3), np.uint8)
        labels = random.integers(0, len(CAMVID), hw, np.uint8)
        labels[0] = 255
        frame = Frame(image, 2 * number, number / 12, time.monotonic_ns(), "test")
        yield Picture(image.copy(), frame, ClassMap(labels, CAMVID, frame))


def open_or_skip(sink: Sink, info: StreamInfo) -> None:
    """Open a sink; one that needs what this machine lacks (a display) is skipped."""
    try:
        sink.open(info)
    except SinkError as error:
        if not sink.main_thread:
            raise
        pytest.skip(str(error))


def build(name: str, *, overwrite: bool = False) -> OutputSink:
    return SINKS[name](SINKS[name].example, overwrite=overwrite)


def files() -> list[Path]:
    return sorted(path for path in Path().rglob("*") if path.is_file())


def test_it_takes_any_picture_leaves_it_as_it_is_and_can_be_closed_twice(
    name: str, info: StreamInfo
) -> None:
    sink = build(name)
    open_or_skip(sink, info)
    for picture in pictures():
        before = picture.image_bgr.copy(), picture.class_map.labels.copy()
        sink.write(picture)
        sink.idle()
        np.testing.assert_array_equal(picture.image_bgr, before[0])
        np.testing.assert_array_equal(picture.class_map.labels, before[1])
    sink.close()
    written = {path: path.read_bytes() for path in files()}
    sink.close()
    assert {path: path.read_bytes() for path in files()} == written
    assert all(written.values())
    assert all("\n" not in line for line in sink.problems())


def test_without_a_picture_it_leaves_no_film_behind(name: str, info: StreamInfo) -> None:
    sink = build(name)
    sink.close()
    assert files() == []
    sink = build(name)
    open_or_skip(sink, info)
    sink.close()
    sink.close()
    assert not [path for path in files() if path.suffix in FILMS]
    assert sink.problems() == []


def test_what_is_there_is_replaced_only_when_told(name: str, info: StreamInfo) -> None:
    with build(name) as sink:
        open_or_skip(sink, info)
        for picture in pictures():
            sink.write(picture)
    written = {path: path.read_bytes() for path in files()}
    if not written:
        return
    with build(name) as again, pytest.raises(SinkError, match="--overwrite"):
        again.open(info)
    assert {path: path.read_bytes() for path in files()} == written
    with build(name, overwrite=True) as over:
        over.open(info)
        over.write(next(pictures(seed=1)))
    assert len(files()) <= len(written)
    assert {path: path.read_bytes() for path in files()} != written


def test_a_place_that_can_not_be_written_to_is_told_before_the_first_picture(
    name: str, info: StreamInfo
) -> None:
    Path("file").write_text("no folder")
    kind = SINKS[name]
    if "FILE" not in kind.outputs and "FOLDER" not in kind.outputs:
        return
    with kind(f"file/{kind.example}") as sink, pytest.raises(SinkError, match="folder file"):
        sink.open(info)


def test_its_example_is_its_own_and_its_settings_are_described(name: str) -> None:
    kind = SINKS[name]
    matching = [other for other in NAMES if SINKS[other].matches(kind.example)]
    if kind.matches(kind.example):
        assert matching == [name]
        assert type(make_sink(kind.example)) is kind
    assert kind(kind.example).name == kind.example
    assert kind.outputs
    for key, field in kind.config_class.model_fields.items():
        assert field.description, f"{name}.{key} has no description"
