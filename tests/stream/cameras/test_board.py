"""The mosaic as a source: its rate, its end, what it shows of cameras that show nothing new."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from rtseg.classes import CAMVID
from rtseg.frames import ClassMap, Frame, Picture
from rtseg.stream.cameras.board import AsPicture, BoardSink, BoardSource, Place
from rtseg.stream.controls import Controls
from rtseg.stream.latency import Latency
from rtseg.stream.reception import Reception
from rtseg.stream.sinks.sink import StreamInfo
from rtseg.stream.sources.source import SourceInfo


def info_of(reception: Reception | None = None, *, live: bool = True) -> StreamInfo:
    source = SourceInfo("cam", (36, 64), 25.0, live)
    return StreamInfo(
        source, CAMVID, "no engine", Controls(), Latency(), reception=reception or Reception()
    )


def picture(value: int, pts_s: float = 0.0) -> Picture:
    frame = Frame(np.full((36, 64, 3), value, np.uint8), 0, pts_s, time.monotonic_ns(), "cam")
    labels = np.zeros((36, 64), np.uint8)
    return Picture(frame.image_bgr, frame, ClassMap(labels, CAMVID, frame))


def test_the_mosaic_comes_at_a_constant_rate_whatever_the_cameras_do() -> None:
    source = BoardSource([Place("a"), Place("b")], (320, 180), fps=50)
    frames = [source.read() for _ in range(11)]
    times_s = [frame.pts_s for frame in frames if frame is not None]
    assert len(times_s) == 11
    steps = np.diff(times_s) * 50
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
    took_s = (frames[-1].captured_ns - frames[0].captured_ns) / 1e9  # type: ignore[union-attr]
    assert took_s == pytest.approx(times_s[-1], abs=0.1)
    assert [frame.index for frame in frames if frame is not None] == list(range(11))


def test_it_shows_the_newest_pictures_and_ends_with_the_last_camera() -> None:
    places = [Place("a"), Place("b")]
    sinks = [BoardSink(place) for place in places]
    source = BoardSource(places, (640, 360), fps=200)
    for value, sink in zip((80, 160), sinks, strict=True):
        sink.open(info_of())
        sink.write(picture(1))
        sink.write(picture(value))
    frame = source.read()
    assert frame is not None
    middle = frame.hw[1] // 2
    assert frame.image_bgr[5, 5].tolist() == [80] * 3
    assert frame.image_bgr[5, middle + 10].tolist() == [160] * 3
    sinks[0].close()
    assert source.read() is not None
    sinks[1].close()
    assert source.read() is None


def test_a_camera_without_signal_is_grey_until_it_comes_back() -> None:
    place, reception = Place("a"), Reception()
    sink = BoardSink(place)
    sink.open(info_of(reception))
    sink.write(picture(90))
    assert place.view().notice is None
    reception.lose("the cable")
    assert place.view().notice == "signal lost 0 s"
    reception.find()
    assert place.view().notice is None
    place.end("failed")
    sink.close()
    assert place.view().notice == "failed", "the first reason stays"


def test_waiting_for_the_next_moment_can_be_interrupted() -> None:
    source = BoardSource([Place("a")], fps=0.1)
    assert source.read() is not None
    timer = threading.Timer(0.1, source.interrupt)
    timer.start()
    start_s = time.monotonic()
    assert source.read() is None
    assert time.monotonic() - start_s < 3
    timer.join()


@pytest.mark.parametrize(("live", "least_s"), [(False, 0.3), (True, 0.0)])
def test_a_file_that_is_only_shown_goes_up_at_its_own_speed(live: bool, least_s: float) -> None:
    sink = BoardSink(Place("a"), realtime=True)
    sink.open(info_of(live=live))
    start_s = time.monotonic()
    for index in range(4):
        sink.write(picture(index, pts_s=index / 10))
    assert time.monotonic() - start_s >= least_s


def test_a_paced_file_stops_at_once(in_background: Callable[..., threading.Thread]) -> None:
    sink, info = BoardSink(Place("a"), realtime=True), info_of(live=False)
    sink.open(info)
    sink.write(picture(0))
    thread = in_background(lambda: sink.write(picture(1, pts_s=60.0)))
    info.controls.stop()
    thread.join(3)
    assert not thread.is_alive()


def test_a_mosaic_is_a_picture_without_classes() -> None:
    source = BoardSource([Place("a")], (320, 180))
    frame = source.read()
    assert frame is not None
    made = AsPicture(CAMVID).process(frame)
    assert made.image_bgr is frame.image_bgr
    assert (made.class_map.labels == 255).all()
