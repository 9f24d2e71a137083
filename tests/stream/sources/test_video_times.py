"""Frames of a file come in order, each with its own time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from rtseg.frames import Frame
from rtseg.stream.sources import SourceConfig, open_source

WriteFilm = Callable[..., Path]


def read_all(path: Path, **settings: Any) -> list[Frame]:
    with open_source(SourceConfig(uri=str(path), **settings)) as source:
        return list(source)


def times_of(frames: list[Frame]) -> list[float]:
    return [frame.pts_s for frame in frames]


@pytest.mark.parametrize(
    ("ending", "codec"),
    [
        ("mp4", "libx264"), ("mov", "libx264"), ("mkv", "libx264"), ("ts", "libx264"),
        ("flv", "libx264"), ("avi", "mpeg4"), ("webm", "libvpx"), ("mkv", "mjpeg"),
        ("mp4", "libx265"), ("h264", "libx264"), ("mjpeg", "mjpeg"), ("mkv", "ffv1"),
        ("gif", "gif"),
    ],
)  # fmt: skip
def test_every_container_gives_all_frames_in_order_at_their_times(
    ending: str, codec: str, tmp_path: Path, write_film: WriteFilm, number_of: Any
) -> None:
    pix_fmt = {"mjpeg": "yuvj420p", "gif": "rgb8"}.get(codec, "yuv420p")
    path = write_film(tmp_path / f"film.{ending}", 40, codec=codec, pix_fmt=pix_fmt)
    frames = read_all(path)
    assert [number_of(frame.image_bgr) for frame in frames] == list(range(40))
    assert [frame.index for frame in frames] == list(range(40))
    np.testing.assert_allclose(times_of(frames), np.arange(40) / 25, atol=1e-3)


def test_variable_frame_rate_is_kept_within_a_millisecond(
    tmp_path: Path, write_film: WriteFilm
) -> None:
    steps = np.random.default_rng(0).integers(5, 400, 49)
    times_ms = [0, *np.cumsum(steps).tolist()]
    for ending in ("mp4", "mkv"):
        path = write_film(tmp_path / f"vfr.{ending}", 50, times_ms=times_ms)
        assert 1000 * np.array(times_of(read_all(path))) == pytest.approx(times_ms, abs=1)


def test_b_frames_are_put_in_order(tmp_path: Path, write_film: WriteFilm, number_of: Any) -> None:
    path = write_film(tmp_path / "b.mp4", 60, options={"bf": "8", "b-adapt": "0", "g": "30"})
    with av.open(str(path)) as container:
        dts = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
    assert dts != sorted(dts), "the clip has no B-frames: the test would show nothing"
    frames = read_all(path)
    assert [number_of(frame.image_bgr) for frame in frames] == list(range(60))
    assert times_of(frames) == pytest.approx(np.arange(60) / 25)


@pytest.mark.parametrize("first_ms", [-400, 5000, 3_600_000])
def test_times_begin_at_zero_wherever_the_file_begins(
    first_ms: int, tmp_path: Path, write_film: WriteFilm
) -> None:
    times_ms = [first_ms + 40 * i for i in range(20)]
    path = write_film(tmp_path / "late.mkv", 20, times_ms=times_ms, options={"bf": "0"})
    frames = read_all(path)
    assert len(frames) == 20
    assert times_of(frames) == pytest.approx(np.arange(20) / 25, abs=1e-3)


def test_an_edit_list_cuts_the_frames_before_it(
    tmp_path: Path, write_film: WriteFilm, number_of: Any
) -> None:
    """A film trimmed without encoding again holds frames that are not to be shown."""
    path = write_film(
        tmp_path / "trimmed.mp4",
        50,
        times_ms=[40 * i - 400 for i in range(50)],
        options={"bf": "2", "g": "25"},
        container_options={"avoid_negative_ts": "disabled", "use_editlist": "1"},
    )
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.dts is not None]
    assert sum(packet.is_discard for packet in packets) == 10
    with open_source(SourceConfig(uri=str(path))) as opened:
        frames = list(opened)
        assert opened.problems() == []
    assert number_of(frames[0].image_bgr) == 10
    assert [number_of(frame.image_bgr) for frame in frames] == list(range(10, 50))
    assert times_of(frames) == pytest.approx(np.arange(40) / 25)


def test_frames_without_times_get_the_rate_that_is_set(
    tmp_path: Path, write_film: WriteFilm
) -> None:
    path = write_film(tmp_path / "raw.h264", 10)
    frames = read_all(path)
    assert times_of(frames) == pytest.approx(np.arange(10) / 25)


def test_a_joined_transport_stream_goes_on_where_its_times_start_anew(
    tmp_path: Path, write_film: WriteFilm, number_of: Any
) -> None:
    one = write_film(tmp_path / "one.ts", 25)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one.read_bytes() * 3)
    frames = read_all(joined)
    assert [number_of(frame.image_bgr) for frame in frames] == 3 * list(range(25))
    assert times_of(frames) == pytest.approx(np.arange(75) / 25, abs=1e-3)


def test_sound_that_begins_earlier_does_not_move_the_pictures(
    tmp_path: Path, write_film: WriteFilm
) -> None:
    times_ms = [600 + 40 * i for i in range(25)]
    path = write_film(tmp_path / "s.mkv", 25, times_ms=times_ms, sound_ms=(0, 1600))
    assert times_of(read_all(path)) == pytest.approx(np.arange(25) / 25, abs=1e-3)


def test_what_is_known_when_it_is_opened(tmp_path: Path, write_film: WriteFilm) -> None:
    path = write_film(tmp_path / "film.mp4", 30, fps=30)
    with open_source(SourceConfig(uri=str(path))) as source:
        info = source.info
    assert (info.name, info.hw, info.live, info.num_frames) == (str(path), (48, 64), False, 30)
    assert info.fps == pytest.approx(30)
    assert info.audio is None


def test_names_with_odd_characters_are_files(tmp_path: Path, write_film: WriteFilm) -> None:
    path = write_film(tmp_path / "plain.mp4", 3)
    for name in ("a:b.mp4", "50%d.mp4", "with space & 'quote'.mp4", "ümlaut[1].mp4", "x?.mp4"):
        odd = path.rename(tmp_path / name)
        assert len(read_all(odd)) == 3
        path = odd
    with open_source(SourceConfig(uri=path.as_uri())) as source:  # file:///…, with %XX
        assert len(list(source)) == 3


def test_the_shared_clips(shared_data: Path) -> None:
    frames = read_all(shared_data / "videos" / "udacity_p1_solidWhiteRight.mp4")
    assert len(frames) == 221
    assert frames[-1].pts_s == pytest.approx(8.8)
    assert frames[0].hw == (540, 960)
