"""A file system that fills while a stream runs: the view goes on, the oldest segments go."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest

CHILD = Path(__file__).with_name("record_drive.py")
FPS = 30.0
Mount = Callable[[str], Path]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mount a file system of a size; skipped where that isn't allowed."""
    folders: list[Path] = []

    def make(size: str) -> Path:
        folder = tmp_path / f"disk{len(folders)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            if "mount" in os.environ.get("RTSEG_REQUIRE", "").split(","):
                pytest.fail(f"RTSEG_REQUIRE names mount, but {made.stderr}")
            pytest.skip(f"a file system can't be mounted here: {made.stderr.strip()}")
        folders.append(folder)
        return folder

    yield make
    for folder in folders:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def run(
    output: Path,
    seconds: float,
    *arguments: str,
    react: Callable[[str], object] = lambda line: None,
) -> list[str]:
    """Run a stream; return what it said, after `react` has had each line at once."""
    command = [sys.executable, str(CHILD), str(output), "--seconds", str(seconds), *arguments]
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1) as child:
        assert child.stdout is not None
        for line in child.stdout:
            lines.append(line.rstrip("\n"))
            react(lines[-1])
    assert child.returncode == 0
    assert lines[-1] == "end"
    return lines


def view_rate(lines: list[str]) -> float:
    """Return how many pictures a second the other output got."""
    times = [float(line.split()[2]) for line in lines if line.startswith("view")]
    return (len(times) - 1) / (times[-1] - times[0])


def events(lines: list[str], start: str) -> list[str]:
    return [line for line in lines if line.startswith(f"event {start}")]


def segment_numbers(folder: Path) -> list[int]:
    """Decode all segments whole; return their numbers."""
    found = []
    for path in sorted(folder.glob("*.mp4")):
        with av.open(str(path)) as film:
            assert sum(not frame.is_corrupt for frame in film.decode(video=0)) > 0
        assert path.with_suffix(".jsonl").exists()
        found.append(int(path.stem[-6:]))
    return found


def check_full(folder: Path, seconds: float, *arguments: str) -> list[str]:
    before_s = time.time()
    lines = run(folder / "drive.mp4", seconds, "--noise", *arguments)
    assert view_rate(lines) > 0.9 * FPS
    assert events(lines, "recording") == [], "it never had to pause"
    numbers = segment_numbers(folder)
    assert numbers == sorted(set(numbers))
    assert numbers[0] > 1, "the oldest are gone"
    assert len(numbers) >= 2
    newest = max(folder.glob("*.mp4"))
    assert newest.stat().st_mtime > before_s + seconds - 1.5
    recorded = [int(line.split()[1]) for line in lines if line.startswith("recorded")]
    assert len(recorded) > 0.9 * seconds * FPS
    assert not list(folder.glob("*.part*"))
    return lines


def test_a_small_disk_keeps_the_newest_and_the_view_goes_on(mount: Mount) -> None:
    check_full(mount("1m"), 5.0, "--segment", "1")


def test_a_disk_without_anything_to_delete_pauses_the_recording_and_tells_it_once(
    mount: Mount,
) -> None:
    folder = mount("3m")
    ballast = folder / "other.bin"
    ballast.write_bytes(bytes(3 * 2**20 - 16384))

    def make_room(line: str) -> None:
        if line.startswith("event recording paused"):
            ballast.unlink(missing_ok=True)

    lines = run(folder / "drive.mp4", 4.0, "--noise", "--segment", "1", react=make_room)
    assert [line.split()[2] for line in events(lines, "recording")] == ["paused", "resumed"]
    assert "the disk is full" in events(lines, "recording paused")[0]
    assert view_rate(lines) > 0.9 * FPS
    assert segment_numbers(folder)
    assert any(line.startswith("problem") and "paused once" in line for line in lines)


@pytest.mark.slow
def test_a_folder_that_goes_pauses_the_recording_until_it_is_back(tmp_path: Path) -> None:
    folder, away = tmp_path / "stick", tmp_path / "away"
    folder.mkdir()

    def move(line: str) -> None:
        if line.startswith("recorded 45"):
            folder.rename(away)
        if line.startswith("event recording paused"):
            away.rename(folder)

    lines = run(folder / "drive.mp4", 7.0, "--segment", "1", react=move)
    assert [line.split()[2] for line in events(lines, "recording")] == ["paused", "resumed"]
    assert view_rate(lines) > 0.9 * FPS
    assert len(segment_numbers(folder)) >= 3
    assert not list(folder.glob("*.part*")), "what it interrupted is finished as well"


@pytest.mark.slow
def test_a_recording_slower_than_the_camera_does_not_slow_the_view(tmp_path: Path) -> None:
    lines = run(tmp_path / "drive.mp4", 3.0, "--slow-ms", "100")
    assert view_rate(lines) > 0.9 * FPS
    recorded = [line for line in lines if line.startswith("recorded")]
    assert len(recorded) < 45


@pytest.mark.slow
def test_twenty_megabytes_fill_while_a_stream_runs(mount: Mount) -> None:
    folder = mount("20m")
    lines = check_full(folder, 120.0, "--segment", "60")
    used = sum(path.stat().st_size for path in folder.iterdir())
    assert used > 8 * 2**20, "what there is is used"
    print(f"view {view_rate(lines):.2f} a second, {used / 1e6:.1f} MB kept")  # noqa: T201
