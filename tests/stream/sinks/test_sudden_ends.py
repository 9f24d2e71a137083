"""Outputs whose writer is killed, or whose disk is full: what is left can be used."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rtseg.classes import CAMVID
from rtseg.stream.sinks import read_class_maps, read_classes

CHILD = Path(__file__).with_name("record_forever.py")
FilmTimes = Callable[[Path], list[float]]


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(CHILD), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kill_after_a_while(children: list[subprocess.Popen[str]]) -> list[int]:
    """Kill each child at a random moment of its recording; return how many pictures each wrote."""
    moments = random.Random(4)
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "go\n"
    ends = sorted((time.monotonic() + moments.uniform(0.4, 1.6), c.pid, c) for c in children)
    for end, _, child in ends:
        time.sleep(max(end - time.monotonic(), 0))
        child.kill()
    return [len(child.communicate(timeout=60)[0].split()) for child in children]


def check_killed_films(folder: Path, number: int, suffix: str, film_times: FilmTimes) -> None:
    paths = [folder / f"{i}.{suffix}" for i in range(number)]
    rates = [(30.0, 10.0, 5.0)[i % 3] for i in range(number)]
    written = kill_after_a_while(
        [start(str(path), str(fps)) for path, fps in zip(paths, rates, strict=True)]
    )
    for path, fps, count in zip(paths, rates, written, strict=True):
        times = film_times(path)
        assert times == pytest.approx([i / fps for i in range(len(times))], abs=0.001)
        assert (count - len(times)) / fps <= 1.0, f"{count} pictures written, {len(times)} kept"


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_killed_recording_plays_and_lacks_at_most_a_second(
    tmp_path: Path, film_times: FilmTimes, suffix: str
) -> None:
    check_killed_films(tmp_path, 3, suffix, film_times)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_twenty_killed_recordings_play(tmp_path: Path, film_times: FilmTimes, suffix: str) -> None:
    for turn in range(5):
        folder = tmp_path / str(turn)
        folder.mkdir()
        check_killed_films(folder, 4, suffix, film_times)


def test_class_maps_of_a_killed_process_can_be_read(tmp_path: Path) -> None:
    paths = [tmp_path / "masks.mkv", tmp_path / "masks"]
    written = kill_after_a_while([start(str(path), "10", "--kind", "masks") for path in paths])
    for path, count in zip(paths, written, strict=True):
        kept = list(read_class_maps(path))
        assert count - len(kept) <= 10
        for index, (pts_s, labels) in enumerate(kept):
            assert pts_s == pytest.approx(index / 10, abs=0.001)
            assert (labels == index % len(CAMVID)).all()
        assert read_classes(path) == CAMVID


def test_statistics_of_a_killed_process_are_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "stats.jsonl"
    [written] = kill_after_a_while([start(str(path), "1000", "--kind", "stats", "--fast")])
    text = path.read_text()
    assert text.endswith("\n")
    assert [json.loads(line)["index"] for line in text.splitlines()][:written] == [*range(written)]


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
def test_a_full_disk_ends_with_one_line_and_a_film_that_plays(
    tmp_path: Path, film_times: FilmTimes, name: str
) -> None:
    path = tmp_path / name
    child = start(str(path), "25", "--fast", "--noise", "--limit", "100000")
    *written, error, closed = child.communicate(timeout=60)[0].splitlines()[1:]
    assert child.returncode == 0
    assert closed == "closed"
    assert error.startswith(f"SinkError: can't write {path}: the file is larger than")
    assert error.endswith("what is there can be used")
    assert path.stat().st_size <= 100_000
    times = film_times(path)
    assert len(written) - len(times) <= 12, "half a second at 25 a second"
    assert times == pytest.approx([i / 25 for i in range(len(times))], abs=0.001)


@pytest.mark.parametrize(("kind", "name"), [("masks", "m.mkv"), ("stats", "s.jsonl")])
def test_a_full_disk_leaves_class_maps_and_statistics_that_can_be_read(
    tmp_path: Path, kind: str, name: str
) -> None:
    path = tmp_path / name
    child = start(str(path), "25", "--fast", "--noise", "--kind", kind, "--limit", "100000")
    *written, error, _ = child.communicate(timeout=60)[0].splitlines()[1:]
    assert error.startswith(f"SinkError: can't write {path}")
    if kind == "masks":
        assert len(written) - len(list(read_class_maps(path))) <= 12
    else:
        assert len([json.loads(line) for line in path.read_text().splitlines()]) == len(written)
