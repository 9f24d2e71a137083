"""What every test of a sink needs: a stream's description, and pictures."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from rtseg.classes import CAMVID
from rtseg.frames import ClassMap, Frame, Picture
from rtseg.stream.audio import AudioTrack
from rtseg.stream.controls import Controls
from rtseg.stream.latency import Latency
from rtseg.stream.sinks.sink import Sink, StreamInfo
from rtseg.stream.sources.source import SourceInfo

MakeInfo = Callable[..., StreamInfo]
MakePicture = Callable[..., Picture]


def _info(
    fps: float | None = 25.0,
    *,
    live: bool = False,
    name: str = "test",
    audio: AudioTrack | None = None,
) -> StreamInfo:
    source = SourceInfo(name, (48, 64), fps, live, audio=audio)
    return StreamInfo(source, CAMVID, "linknet fp32 on cpu", Controls(), Latency())


def _picture(
    index: int = 0, pts_s: float | None = None, image: Any = None, labels: Any = None
) -> Picture:
    if image is None:
        image = np.full((48, 64, 3), (index * 40) % 256, np.uint8)
    if labels is None:
        labels = np.full(image.shape[:2], index % len(CAMVID), np.uint8)
    frame_image = np.zeros((*labels.shape, 3), np.uint8)
    pts_s = index / 25 if pts_s is None else pts_s
    frame = Frame(frame_image, index, pts_s, time.monotonic_ns(), "test")
    return Picture(image, frame, ClassMap(labels, CAMVID, frame))


@pytest.fixture
def make_info() -> MakeInfo:
    """Describe a stream of 64x48 pictures at `fps`."""
    return _info


@pytest.fixture
def make_picture() -> MakePicture:
    """Make a picture; 64x48, in one colour and class, unless told otherwise."""
    return _picture


@pytest.fixture
def record() -> Callable[..., None]:
    """Open a sink, write pictures of 64x48 with these times, and close it."""

    def run(sink: Sink, times_s: list[float], info: StreamInfo | None = None) -> None:
        with sink:
            sink.open(info or _info())
            for index, pts_s in enumerate(times_s):
                sink.write(_picture(index, pts_s))

    return run


@pytest.fixture
def film_times() -> Callable[[Path], list[float]]:
    """Decode a film; return the time of each picture."""

    def read(path: Path) -> list[float]:
        with av.open(str(path)) as film:
            return [float(frame.time) for frame in film.decode(video=0)]

    return read
