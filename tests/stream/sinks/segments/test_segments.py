"""Segmented recordings: nothing lost or doubled between files that play and describe themselves."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from rtseg.config import validate
from rtseg.errors import ConfigError
from rtseg.stream.sinks.movie_file import MovieFile
from rtseg.stream.sinks.recording import Recording, RecordingConfig
from rtseg.stream.sinks.recording_pause import RETRY_S
from rtseg.stream.sinks.recordings import find_recording, list_recordings
from rtseg.stream.sinks.segments.ring import Ring
from rtseg.stream.sinks.segments.segment_names import SegmentNames

FilmTimes = Callable[[Path], list[float]]


def sink(path: Path, **settings: Any) -> Recording:
    config = RecordingConfig(preset="ultrafast", **{"segment_s": 1, **settings})
    return Recording(str(path), config)


def films(folder: Path, suffix: str = ".mp4") -> list[Path]:
    return sorted(folder.glob(f"*{suffix}"))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.with_suffix(".jsonl").read_text().splitlines()]


def greys(path: Path) -> list[int]:
    """Return what number each picture stands for: it is painted in a grey of its own."""
    with av.open(str(path)) as film:
        return [
            round(float(frame.to_ndarray(format="bgr24").mean()) / 4)
            for frame in film.decode(video=0)
        ]


def painted(make_picture: Any, index: int, pts_s: float | None = None) -> Any:
    return make_picture(index, pts_s, image=np.full((48, 64, 3), 4 * index, np.uint8))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_segments_follow_one_another_without_a_lost_or_doubled_picture(
    tmp_path: Path, make_info: Any, make_picture: Any, film_times: FilmTimes, suffix: str
) -> None:
    with sink(tmp_path / f"drive{suffix}") as recording:
        recording.open(make_info())
        for index in range(60):
            recording.write(painted(make_picture, index))
    written = films(tmp_path, suffix)
    assert [path.name[-len(f"-000001{suffix}") :] for path in written] == [
        f"-00000{n}{suffix}" for n in (1, 2, 3)
    ]
    assert [grey for path in written for grey in greys(path)] == list(range(60))
    starts = []
    for path in written:
        described, *_, end = lines(path)
        times = film_times(path)
        assert times[0] == 0
        assert times == pytest.approx([i / 25 for i in range(len(times))], abs=0.002)
        assert end["frames"] == len(times)
        assert end["bytes"] == path.stat().st_size
        assert described["film"] == path.name
        starts += [described["start_s"], end["end_s"]]
    assert starts == pytest.approx([0, 1, 1, 2, 2, 2.4], abs=1e-6)
    assert not list(tmp_path.glob("*.part*"))


def test_films_one_after_the_other_are_as_long_as_the_drive(
    tmp_path: Path, make_info: Any, make_picture: Any, film_times: FilmTimes
) -> None:
    random = np.random.default_rng(0)
    times = np.cumsum(random.uniform(0.02, 0.12, 60))
    with sink(tmp_path / "drive.mp4") as recording:
        recording.open(make_info(live=True))
        for index, pts_s in enumerate(times):
            recording.write(painted(make_picture, index, float(pts_s)))
    joined: list[float] = []
    offset_s = 0.0
    for path in films(tmp_path):
        joined += [offset_s + time_s for time_s in film_times(path)]
        with av.open(str(path)) as film:
            stream = film.streams.video[0]
            assert stream.duration is not None
            assert stream.time_base is not None
            offset_s += float(stream.duration * stream.time_base)
    assert joined == pytest.approx([t - times[0] for t in times], abs=0.003)


def test_the_sidecar_tells_what_happened_and_what_is_missing(
    tmp_path: Path, make_info: Any, make_picture: Any
) -> None:
    info = make_info(live=True, name="rtsp://camera/1")
    with sink(tmp_path / "drive.mp4") as recording:
        recording.open(info)
        for index in [0, 1, 2, 5, 6]:
            recording.write(make_picture(index))
        info.events.add("lost", "the camera sends nothing", seconds=2.0)
        recording.idle()
    [film] = films(tmp_path)
    first, lost, end = lines(film)
    assert first["kind"] == "segment"
    assert first["source"] == "rtsp://camera/1"
    assert first["classes"][:2] == list(info.classes.names[:2])
    assert first["engine"] == info.engine
    assert (lost["kind"], lost["text"], lost["seconds"]) == (
        "lost",
        "the camera sends nothing",
        2.0,
    )
    assert 0.2 <= lost["at_s"] < 5
    assert (end["kind"], end["frames"], end["missed"]) == ("end", 5, 2)
    closed = [event for event in info.events.since() if event.kind == "segment"]
    assert [event.values["name"] for event in closed] == [film.name]


def test_numbers_go_on_over_runs_and_nothing_is_replaced(
    tmp_path: Path, make_info: Any, make_picture: Any
) -> None:
    for _ in range(3):
        with sink(tmp_path / "drive.mp4") as recording:
            recording.open(make_info())
            recording.write(make_picture(0))
    assert [path.stem[-6:] for path in films(tmp_path)] == ["000001", "000002", "000003"]


def test_another_size_of_pictures_begins_another_segment(
    tmp_path: Path, make_info: Any, make_picture: Any
) -> None:
    with sink(tmp_path / "drive.mp4", segment_s=60) as recording:
        recording.open(make_info())
        for index in range(60):
            hw = (48, 64) if index < 30 else (64, 96)
            recording.write(make_picture(index, image=np.zeros((*hw, 3), np.uint8)))
        assert recording.problems() == []
    sizes = []
    for path in films(tmp_path):
        with av.open(str(path)) as film:
            stream = film.streams.video[0]
            sizes.append((stream.height, stream.width, sum(1 for _ in film.decode(stream))))
    assert sizes == [(48, 64, 30), (64, 96, 30)]


@pytest.mark.parametrize("segment_s", [60, None])
def test_a_recording_is_switched_off_and_on(
    tmp_path: Path, make_info: Any, make_picture: Any, segment_s: float | None
) -> None:
    info = make_info()
    with sink(tmp_path / "drive.mp4", segment_s=segment_s) as recording:
        recording.open(info)
        for index in range(30):
            info.controls.record(not 10 <= index < 20)
            recording.write(painted(make_picture, index))
            recording.idle()
    kept = [greys(path) for path in films(tmp_path)]
    wanted = [list(range(10)), list(range(20, 30))]
    assert kept == (wanted if segment_s else [[*wanted[0], *wanted[1]]])
    states = [e.values["state"] for e in info.events.since() if e.kind == "recording"]
    assert states == ["off", "on"]


def test_the_ring_keeps_within_its_bytes_and_touches_nothing_else(
    tmp_path: Path, make_info: Any, make_picture: Any
) -> None:
    foreign = [
        "drive.mp4", "drive-1.mp4", "drive-20200101T000000-000001.mkv", "notes.txt",
        "drive-20200101T000000-000001.mp4.bak", "drive-raw-20200101T000000-000001.mp4",
        "other-20200101T000000-000001.mp4", "drive-20200101T000000-000001x.mp4",
    ]  # fmt: skip
    for name in foreign:
        (tmp_path / name).write_bytes(b"x" * 50_000)
    noise = np.random.default_rng(0)
    with sink(tmp_path / "drive.mp4", keep="600kB") as recording:
        recording.open(make_info())
        for index in range(400):
            image = noise.integers(0, 256, (48, 64, 3), np.uint8)
            recording.write(make_picture(index, image=image))
            if index % 25 == 0:
                own = [p for p in tmp_path.iterdir() if p.name not in foreign]
                assert sum(_size(p) for p in own) < 1_000_000, "it is written much faster than live"
                time.sleep(0.02)
    assert all((tmp_path / name).stat().st_size == 50_000 for name in foreign)
    assert sum(_size(path) for path in tmp_path.iterdir() if path.name not in foreign) <= 600_000
    own = [path for path in films(tmp_path) if path.name not in foreign]
    numbers = [int(path.stem[-6:]) for path in own]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert numbers[0] > 2
    left = {path.name for path in tmp_path.glob("*.jsonl")}
    assert left == {path.with_suffix(".jsonl").name for path in own}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def test_the_ring_deletes_what_is_too_old_but_not_what_has_no_time(tmp_path: Path) -> None:
    now_s = time.time()
    ages_h = {1: 100.0, 2: 60.0, 3: 10.0, 4: None, 5: 99.0}
    for number, age_h in ages_h.items():
        for suffix in (".mp4", ".jsonl", "-raw.mkv"):
            path = tmp_path / f"drive-20260101T000000-{number:06d}{suffix}"
            path.write_bytes(b"x")
            at_s = 86_400.0 if age_h is None else now_s - age_h * 3600
            os.utime(path, (at_s, at_s))
    ring = Ring(SegmentNames(tmp_path / "drive.mp4"), keep_s=48 * 3600)
    ring.look()
    ring.tend([])
    assert [path.stem[-1] for path in films(tmp_path)] == ["3", "4", "5"], "5 is the newest"
    assert len(list(tmp_path.iterdir())) == 9


def test_keeping_needs_segments_and_sizes_are_read_with_units() -> None:
    assert validate(RecordingConfig, {"segment_s": 60, "keep": "20GB"}, "x").keep == 20 * 10**9
    with pytest.raises(ConfigError, match="--segment 60"):
        validate(RecordingConfig, {"keep": "20GB"}, "x")
    with pytest.raises(ConfigError, match="keep"):
        validate(RecordingConfig, {"segment_s": 60, "keep": "much"}, "x")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_part_of_a_dead_writer_is_finished_and_one_of_a_living_is_left(
    tmp_path: Path, make_info: Any, make_picture: Any, film_times: FilmTimes, suffix: str
) -> None:
    with sink(tmp_path / f"drive{suffix}", segment_s=60) as dead:
        dead.open(make_info())
        for index in range(50):
            dead.write(make_picture(index))
        [part] = tmp_path.glob(f"*.part{suffix}")
        torn = part.read_bytes()
        sidecar = part.with_suffix(".jsonl").read_bytes()
        with sink(tmp_path / f"drive{suffix}") as other:
            other.open(make_info())
            assert part.exists()
            assert part.with_suffix(".jsonl").exists()
    for path in tmp_path.iterdir():
        path.unlink()
    part.write_bytes(torn + b"\0\0\7")
    part.with_suffix(".jsonl").write_bytes(sidecar + b'{"kind": "lo')
    (tmp_path / f"drive-20260101T000000-000007.part{suffix}").write_bytes(b"")
    info = make_info()
    with sink(tmp_path / f"drive{suffix}") as again:
        again.open(info)
        again.write(make_picture(0))
    found, new = films(tmp_path, suffix)
    assert found.name == part.name.replace(".part", "")
    assert len(film_times(found)) >= 40
    assert lines(found)[-1]["recovered"] is True
    assert len(film_times(new)) == 1
    assert info.events.since()[0].kind == "recovered"
    assert not list(tmp_path.glob("*.part*"))


def test_recordings_are_listed_with_what_is_known_of_them(
    tmp_path: Path, make_info: Any, make_picture: Any
) -> None:
    outputs = [str(tmp_path / "drive.mp4"), str(tmp_path / "whole.mkv"), "window"]
    with Recording(outputs[1]) as whole:
        whole.open(make_info())
        for index in range(25):
            whole.write(make_picture(index))
    before_s = time.time()
    with sink(tmp_path / "drive.mp4") as recording:
        recording.open(make_info())
        for index in range(45):
            recording.write(make_picture(index))
        recording.close()
        done = list_recordings(outputs)
    by_name = {file.name: file for file in done}
    assert by_name["whole.mkv"].seconds == pytest.approx(1.0, abs=0.05)
    first, second = (file for file in done if file.name.startswith("drive-"))
    assert first.seconds == pytest.approx(1.0)
    assert second.seconds == pytest.approx(0.8)
    assert first.bytes == first.path.stat().st_size
    assert first.start is not None
    assert before_s - 5 < first.start < time.time()
    assert not any(file.open or file.raw for file in done)
    assert find_recording(outputs, first.name) == first
    assert find_recording(outputs, "whole.mkv") == by_name["whole.mkv"]
    for name in (f"../{first.name}", f"{tmp_path.name}/{first.name}", "", "..", "whole.mkv/"):
        assert find_recording(outputs, name) is None
    assert find_recording(outputs, first.path.with_suffix(".jsonl").name) is None


def test_a_film_that_is_being_written_is_listed_as_open(tmp_path: Path) -> None:
    path = tmp_path / "drive.mkv"
    movie = MovieFile(path, live=True, metadata={})
    movie.container.add_stream("ffv1", width=64, height=48, pix_fmt="gray")
    movie.start(overwrite=False)
    movie.container.mux([])
    path.write_bytes(path.read_bytes() or b"head")
    assert [file.open for file in list_recordings([str(path)])] == [True]
    movie.close()
    assert [file.open for file in list_recordings([str(path)])] == [False]


def test_pairs_of_segments_meet(tmp_path: Path, make_info: Any, make_picture: Any) -> None:
    with sink(tmp_path / "drive.mp4") as recording:
        recording.open(make_info(live=True))
        for index in range(90):
            recording.write(make_picture(index, index / 30 + (4 if index > 50 else 0)))
    described = [lines(path) for path in films(tmp_path)]
    for earlier, later in pairwise(described):
        assert earlier[-1]["seconds"] <= later[0]["start_s"] - earlier[0]["start_s"] + 1e-6


def test_a_pause_is_told_and_shown_and_ends_by_itself(
    tmp_path: Path, make_info: Any, make_picture: Any
) -> None:
    folder, away = tmp_path / "stick", tmp_path / "away"
    info = make_info(live=True)
    with sink(folder / "drive.mp4") as recording:
        recording.open(info)
        folder.rename(away)
        for index in range(3):
            recording.write(make_picture(index))
        assert recording.notice() == "not recording"
        away.rename(folder)
        time.sleep(RETRY_S)
        recording.write(make_picture(3))
        assert recording.notice() is None
        [problem] = recording.problems()
    assert "paused once and lacks 3 pictures" in problem
    told = [event.values["state"] for event in info.events.since() if event.kind == "recording"]
    assert told == ["paused", "resumed"]
    assert len(films(folder)) == 1
