"""What every kind of source owes, whatever it reads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from rtseg.frames import Frame
from rtseg.stream.sources import SOURCES, ReconnectConfig, Source, SourceConfig, open_source
from rtseg.stream.sources.capture import Capture

NUM_FRAMES = 8
HW = (64, 96)
OWN = ("demo:0", "0", "csi://0", "gst://x", "folder/*.png", "a.png", "film.mp4", "rtsp://h/x")


def demo(_: Path) -> SourceConfig:
    return SourceConfig(uri="demo:1", size_wh=HW[::-1], fps=10, duration_s=NUM_FRAMES / 10)


def images(folder: Path) -> SourceConfig:
    for index in range(NUM_FRAMES):
        cv2.imwrite(str(folder / f"{index}.png"), np.full((*HW, 3), index, np.uint8))
    return SourceConfig(uri=str(folder))


def video(folder: Path) -> SourceConfig:
    import av

    path = folder / "film.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height = HW[::-1]
        stream.pix_fmt = "yuv420p"
        for index in range(NUM_FRAMES):
            image = np.full((*HW, 3), index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return SourceConfig(uri=str(path))


def camera(_: Path) -> SourceConfig:
    if not Path("/dev/video0").exists():
        pytest.skip("no camera on this machine")
    return SourceConfig(uri="0", max_frames=NUM_FRAMES)


def gstreamer(_: Path) -> SourceConfig:
    if not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        pytest.skip("this OpenCV has no GStreamer")
    size = f"width={HW[1]},height={HW[0]},framerate=10/1"
    convert = "videoconvert ! video/x-raw,format=BGR ! appsink"
    uri = f"gst://videotestsrc num-buffers={NUM_FRAMES} ! video/x-raw,{size} ! {convert}"
    return SourceConfig(uri=uri, reconnect=ReconnectConfig(limit=0))


EXAMPLES: dict[str, Callable[[Path], SourceConfig]] = {
    "demo": demo,
    "camera": camera,
    "gstreamer": gstreamer,
    "images": images,
    "video": video,
}


def test_every_kind_has_an_example_here() -> None:
    assert list(EXAMPLES) == list(SOURCES)


@pytest.fixture(params=list(SOURCES))
def config(request: pytest.FixtureRequest, tmp_path: Path) -> SourceConfig:
    return EXAMPLES[request.param](tmp_path)


def read_all(source: Source) -> list[Frame]:
    with source:
        return list(source)


def test_what_is_known_when_it_is_opened_is_true(config: SourceConfig) -> None:
    source = open_source(config)
    assert isinstance(source, Source)
    info = source.info
    frames = read_all(source)
    assert info.name
    assert frames[0].hw == info.hw
    assert info.num_frames in (None, len(frames))
    assert info.live or info.num_frames == NUM_FRAMES
    assert info.fps is None or info.fps > 0
    assert {frame.source for frame in frames} == {info.name}


def test_frames_are_numbered_and_timed_from_zero(config: SourceConfig) -> None:
    frames = read_all(open_source(config))
    times_s = [frame.pts_s for frame in frames]
    assert [frame.index for frame in frames] == list(range(NUM_FRAMES))
    assert times_s[0] == 0
    assert times_s == sorted(times_s)
    assert len(set(times_s)) == NUM_FRAMES


def test_pictures_are_the_readers_own(config: SourceConfig) -> None:
    """A reader may draw on what it got, and keep it, without harm to the next frame."""
    plain = [frame.image_bgr.copy() for frame in read_all(open_source(config))]
    with open_source(config) as source:
        kept = []
        for frame in source:
            assert frame.image_bgr.dtype == np.uint8
            assert frame.image_bgr.flags.c_contiguous
            kept.append(frame.image_bgr.copy())
            frame.image_bgr[:] = 77
    if not source.info.live:
        np.testing.assert_array_equal(np.stack(kept), np.stack(plain))


def test_the_time_of_capture_is_now(config: SourceConfig) -> None:
    with open_source(config) as source:
        begin_ns = time.monotonic_ns()
        frame = source.read()
        assert frame is not None
        assert begin_ns - 300e6 < frame.captured_ns <= time.monotonic_ns()


def test_it_can_be_closed_twice_and_read_after_the_end(config: SourceConfig) -> None:
    source = open_source(config)
    while source.read() is not None:
        pass
    assert source.read() is None
    assert source.read() is None
    source.close()
    source.close()
    assert source.read() is None
    assert isinstance(source.problems(), list)


def test_it_can_be_closed_in_the_middle(config: SourceConfig) -> None:
    source = open_source(config)
    assert source.read() is not None
    source.close()
    assert source.read() is None


def test_another_thread_may_read_and_close_it(config: SourceConfig) -> None:
    source = open_source(config)
    frames: list[Frame] = []
    before = threading.active_count()
    thread = threading.Thread(target=lambda: frames.extend(read_all(source)), daemon=True)
    thread.start()
    thread.join(30)
    assert len(frames) == NUM_FRAMES
    assert threading.active_count() <= before, "a closed source has no thread"


def test_turning_swaps_the_sides(config: SourceConfig) -> None:
    turned = config.model_copy(update={"rotate": "90", "max_frames": 2})
    with open_source(turned) as source, open_source(config) as plain:
        assert source.info.hw == plain.info.hw[::-1]
        assert {frame.hw for frame in source} == {source.info.hw}


@pytest.mark.parametrize("name", list(SOURCES))
def test_each_name_belongs_to_one_kind(name: str) -> None:
    kind = SOURCES[name]
    assert issubclass(kind, Capture)
    assert (kind.__doc__ or "").strip()
    others = [uri for uri in OWN if kind.matches(uri)]
    assert others, f"no example in this test is a {name}"
