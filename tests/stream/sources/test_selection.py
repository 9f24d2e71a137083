"""Which part of a source is delivered, at which times, and its sound with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from rtseg.errors import SourceError
from rtseg.stream.audio import AudioPacket
from rtseg.stream.sources import SourceConfig, open_source
from rtseg.stream.sources.capture import Capture, Shot
from rtseg.stream.sources.selection import Selection

WriteFilm = Callable[..., Path]
KINDS = ("film.mp4", "film.mkv", "film.ts", "film.avi", "film.h264", "film.webm", "film.gif")


@pytest.fixture(params=KINDS)
def film(request: pytest.FixtureRequest, tmp_path: Path, write_film: WriteFilm) -> Path:
    """60 frames at 25 a second, a key frame every 12, B-frames between where the codec has them."""
    codec = {"avi": "mpeg4", "webm": "libvpx", "gif": "gif"}.get(request.param[5:], "libx264")
    pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
    options = {"g": "12"} if codec != "libx264" else {"g": "12", "bf": "3"}
    return write_film(tmp_path / request.param, 60, codec=codec, pix_fmt=pix_fmt, options=options)


@pytest.fixture
def mp4(tmp_path: Path, write_film: WriteFilm) -> Path:
    return write_film(tmp_path / "film.mp4", 60, options={"g": "12"})


def select(path: Path, number_of: Any, **settings: Any) -> tuple[list[int], list[float]]:
    """Return the numbers that the delivered frames spell, and their times."""
    with open_source(SourceConfig(uri=str(path), **settings)) as source:
        frames = list(source)
        assert source.read() is None
    assert [frame.index for frame in frames] == list(range(len(frames)))
    return [number_of(frame.image_bgr) for frame in frames], [frame.pts_s for frame in frames]


@pytest.mark.parametrize("start", [1, 11, 12, 13, 24, 35, 59])
def test_the_start_is_exact_in_every_container(start: int, film: Path, number_of: Any) -> None:
    numbers, times_s = select(film, number_of, start_s=start / 25)
    assert numbers == list(range(start, 60))
    np.testing.assert_allclose(times_s, np.arange(60 - start) / 25, atol=1.1e-3)


def test_between_two_frames_the_later_one_is_first(mp4: Path, number_of: Any) -> None:
    assert select(mp4, number_of, start_s=0.41, end_s=0.5)[0] == [11, 12]


def test_the_end_is_not_delivered(mp4: Path, number_of: Any) -> None:
    assert select(mp4, number_of, end_s=0.4)[0] == list(range(10))


def test_stride_start_end_and_number_together(mp4: Path, number_of: Any) -> None:
    numbers, times_s = select(mp4, number_of, start_s=0.4, end_s=2.0, stride=3, max_frames=5)
    assert numbers == [10, 13, 16, 19, 22]
    assert times_s == pytest.approx([0, 0.12, 0.24, 0.36, 0.48])


def test_a_start_behind_the_end_says_so(mp4: Path) -> None:
    with pytest.raises(SourceError, match="no frame at or after start_s = 9 s"):
        open_source(SourceConfig(uri=str(mp4), start_s=9))


def test_playing_again_goes_on_in_time(film: Path, number_of: Any) -> None:
    numbers, times_s = select(film, number_of, start_s=1.0, end_s=1.4, loop=3)
    assert numbers == 3 * list(range(25, 35))
    np.testing.assert_allclose(times_s, np.arange(30) / 25, atol=2e-3)


def test_playing_for_ever_ends_by_the_number_of_frames(film: Path, number_of: Any) -> None:
    numbers, times_s = select(film, number_of, loop=True, max_frames=130)
    assert numbers == [i % 60 for i in range(130)]
    np.testing.assert_allclose(times_s, np.arange(130) / 25, atol=3e-3)


def test_playing_again_with_a_stride(mp4: Path, number_of: Any) -> None:
    numbers, times_s = select(mp4, number_of, stride=7, loop=2)
    assert numbers == 2 * list(range(0, 60, 7))
    assert times_s[9] == pytest.approx(60 / 25), "the last frames of a pass take their time"


def test_variable_rate_is_kept_after_a_start(tmp_path: Path, write_film: WriteFilm) -> None:
    times_ms = np.cumsum([0, *np.random.default_rng(1).integers(10, 90, 39)])
    path = write_film(tmp_path / "v.mkv", 40, times_ms=times_ms.tolist(), options={"g": "9"})
    with open_source(SourceConfig(uri=str(path), start_s=times_ms[20] / 1000)) as source:
        got_ms = [1000 * frame.pts_s for frame in source]
    assert got_ms == pytest.approx((times_ms[20:] - times_ms[20]).tolist(), abs=1)


@pytest.mark.parametrize(
    ("settings", "num"),
    [
        ({}, 60),
        ({"start_s": 1.0}, 35),
        ({"end_s": 1.0}, 25),
        ({"start_s": 1.0, "end_s": 1.5}, 13),
        ({"stride": 7}, 9),
        ({"max_frames": 5}, 5),
        ({"max_frames": 500}, 60),
        ({"loop": 3, "stride": 2}, 90),
        ({"loop": True}, None),
        ({"loop": True, "max_frames": 99}, 99),
    ],
)
def test_the_number_of_frames_is_known(settings: Any, num: int | None, mp4: Path) -> None:
    with open_source(SourceConfig(uri=str(mp4), **settings)) as source:
        assert source.info.num_frames == num
        if num is not None:
            assert len(list(source)) == num


def test_the_frame_rate_is_that_of_the_delivered_frames(mp4: Path) -> None:
    with open_source(SourceConfig(uri=str(mp4), stride=5)) as source:
        assert source.info.fps == pytest.approx(5)


class Ticking(Capture):
    """A capture that notes which pictures are drawn."""

    def __init__(self, live: bool = False, damaged: tuple[int, ...] = ()) -> None:
        self.name, self.hw, self.fps, self.live = "ticking", (2, 2), 10.0, live
        self.damaged, self.next, self.drawn, self.num_frames = damaged, 0, [], 20

    @classmethod
    def matches(cls, uri: str) -> bool:
        return False

    def grab(self) -> float | None:
        self.next += 1
        return (self.next - 1) / 10 if self.next <= 20 else None

    def retrieve(self) -> Shot | None:
        self.drawn.append(self.next - 1)
        if self.next - 1 in self.damaged:
            return None
        return Shot(np.zeros((2, 2, 3), np.uint8), 0)

    def rewind(self, start_s: float) -> None:
        self.next = round(start_s * 10)


def test_frames_that_are_left_out_are_not_converted() -> None:
    capture = Ticking()
    frames = list(Selection(capture, SourceConfig(start_s=0.5, stride=4, end_s=1.6)))
    assert capture.drawn == [5, 9, 13]
    assert [frame.pts_s for frame in frames] == pytest.approx([0, 0.4, 0.8])


def test_damaged_frames_leave_no_gap_in_the_numbers() -> None:
    frames = list(Selection(Ticking(damaged=(0, 1, 5)), SourceConfig()))
    assert [frame.index for frame in frames] == list(range(17))
    assert [frame.pts_s for frame in frames][:4] == pytest.approx([0, 0.1, 0.2, 0.4])


def test_a_source_that_is_all_damaged_does_not_go_round_for_ever() -> None:
    assert list(Selection(Ticking(damaged=tuple(range(20))), SourceConfig(loop=True))) == []


def test_a_live_source_can_not_be_played_again() -> None:
    with pytest.raises(SourceError, match="live"):
        Selection(Ticking(live=True), SourceConfig(loop=True))


def heard(path: Path, **settings: Any) -> tuple[list[AudioPacket], list[float]]:
    """Return the sound that a recording would get, and the times of the frames."""
    with open_source(SourceConfig(uri=str(path), **settings)) as source:
        assert source.info.audio is not None
        reader = source.info.audio.subscribe()
        times_s = [frame.pts_s for frame in source]
        return reader.take_until(float("inf")), times_s


def whole_sound(path: Path) -> list[tuple[float, bytes]]:
    """Return time and bytes of every packet of sound, by PyAV alone."""
    with av.open(str(path)) as container:
        return [
            (float(packet.pts * packet.time_base), bytes(packet))
            for packet in container.demux(audio=0)
            if packet.dts is not None and packet.size
        ]


@pytest.fixture(params=["mp4", "mkv", "ts", "avi", "webm"])
def talkie(request: pytest.FixtureRequest, tmp_path: Path, write_film: WriteFilm) -> Path:
    """Two seconds with sound, whose pictures begin 0.3 s after the sound where that can be said."""
    codec = {"avi": "mpeg4", "webm": "libvpx"}.get(request.param, "libx264")
    path = tmp_path / f"talkie.{request.param}"
    times = None if codec == "mpeg4" else [300 + 40 * i for i in range(50)]
    return write_film(path, 50, codec=codec, times_ms=times, sound_ms=(0, 2300))


def first_picture_s(path: Path) -> float:
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        return float(frame.pts * frame.time_base)


def test_the_sound_is_copied_on_the_clock_of_the_frames(talkie: Path) -> None:
    packets, _ = heard(talkie)
    offset_s = first_picture_s(talkie)
    wanted = [(pts_s - offset_s, data) for pts_s, data in whole_sound(talkie)]
    kept = wanted[-len(packets) :]
    assert [packet.data for packet in packets] == [data for _, data in kept]
    assert [p.pts_s for p in packets] == pytest.approx([pts for pts, _ in kept], abs=2e-3)
    assert all(pts_s <= 0 for pts_s, _ in wanted[: -len(packets)]), "only what came before is left"
    assert packets[0].pts_s + packets[0].duration_s > 0
    assert all(packet.duration_s > 0 for packet in packets)


def test_the_sound_is_cut_with_the_pictures(talkie: Path) -> None:
    packets, times_s = heard(talkie, start_s=0.8, end_s=1.4)
    assert len(times_s) == 15
    assert -0.1 < packets[0].pts_s <= 0
    assert packets[-1].pts_s < 0.6 <= packets[-1].pts_s + packets[-1].duration_s + 0.06
    offset_s = first_picture_s(talkie) + 0.8
    known = [(pts_s - offset_s, data) for pts_s, data in whole_sound(talkie)]
    for packet in packets:
        assert any(
            data == packet.data and abs(pts_s - packet.pts_s) < 3e-3 for pts_s, data in known
        )


def test_the_sound_ends_with_the_last_frame_that_is_wanted(talkie: Path) -> None:
    packets, _ = heard(talkie, max_frames=20)
    assert 0.7 < packets[-1].pts_s < 0.8


def test_a_stride_leaves_the_sound_whole(talkie: Path) -> None:
    assert len(heard(talkie, stride=10)[0]) == len(heard(talkie)[0])


def test_played_again_the_sound_goes_on(talkie: Path) -> None:
    once, times_s = heard(talkie)
    twice, _ = heard(talkie, loop=2)
    starts_s = [packet.pts_s for packet in twice]
    assert starts_s == sorted(starts_s)
    assert 1.8 * len(once) < len(twice) <= 2 * len(once)
    shift_s = len(times_s) / 25
    assert twice[-1].pts_s == pytest.approx(once[-1].pts_s + shift_s, abs=3e-3)


def test_sound_that_nobody_wants_is_not_kept(talkie: Path) -> None:
    with open_source(SourceConfig(uri=str(talkie))) as source:
        assert len(list(source)) == 50
        assert source.info.audio is not None
        assert not source.info.audio.wanted
