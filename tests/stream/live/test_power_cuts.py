"""The power goes while a drive is recorded: every segment before is whole, the newest one plays."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest

from rtseg.stream.sinks.recordings import list_recordings
from rtseg.stream.sinks.segments.part_recovery import holds_pictures

CHILD = Path(__file__).with_name("record_drive.py")
FPS, SEGMENT_S = 30.0, 2.0


def record_and_cut(output: Path, seconds: float) -> list[int]:
    """Record, and kill the whole process group; return the numbers of the pictures taken."""
    command = [sys.executable, str(CHILD), str(output), "--segment", str(SEGMENT_S)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert child.stdout is not None
    taken: list[int] = []
    end_s: float | None = None
    for line in child.stdout:
        if line.startswith("recorded"):
            taken.append(int(line.split()[1]))
            end_s = end_s or time.monotonic() + seconds
        if end_s is not None and time.monotonic() >= end_s:
            break
    os.killpg(child.pid, signal.SIGKILL)
    rest = child.communicate(timeout=60)[0].splitlines()
    return taken + [int(line.split()[1]) for line in rest if line.startswith("recorded ")]


def numbers(film: Path) -> list[int]:
    """Decode a film whole; return the number that each picture says."""
    found: list[int] = []
    if not holds_pictures(film):
        assert ".part" in film.name, "it was just begun"
        return []
    with av.open(str(film)) as container:
        for frame in container.decode(video=0):
            assert not frame.is_corrupt
            grey = frame.to_ndarray(format="bgr24")[..., 0]
            rows = grey.reshape(3, grey.shape[0] // 3, 4, grey.shape[1] // 4)
            bits = (rows.mean(axis=(1, 3)) > 120).ravel()
            found.append(sum(1 << place for place, bit in enumerate(bits) if bit))
    return found


def check(output: Path, taken: list[int]) -> float:
    """Check what a cut has left, before any other run; return how much is lost, seconds."""
    files = sorted(
        output.parent.glob(f"*{output.suffix}"),
        key=lambda path: path.name.replace(".part", ""),
    )
    films = [path for path in files if not path.stem.endswith(".part")]
    kept = [numbers(path) for path in files]
    flat = [number for film in kept for number in film]
    assert flat == taken[: len(flat)], "nothing is lost, doubled or in another order"
    for path, pictures in zip(films, kept, strict=False):
        first, *_, last = [
            json.loads(s) for s in path.with_suffix(".jsonl").read_text().splitlines()
        ]
        assert (first["kind"], last["kind"]) == ("segment", "end")
        assert last["frames"] == len(pictures)
    return (len(taken) - len(flat)) / FPS


def cut_and_check(folder: Path, suffix: str, seconds: list[float]) -> list[float]:
    """Cut the power again and again over one folder; return what each cut took, seconds."""
    lost = []
    for turn, length_s in enumerate(seconds):
        output = folder / f"drive{suffix}"
        before = {path.name: path.read_bytes() for path in folder.glob("*") if path.is_file()}
        gone = {path.stem for path in folder.glob(f"*.part{suffix}") if not holds_pictures(path)}
        taken = record_and_cut(output, length_s)
        new = folder / f"turn{turn}"
        new.mkdir()
        recovered = {
            name.replace(".part", "") for name in before if name.rsplit(".", 1)[0] not in gone
        }
        assert recovered <= {path.name for path in folder.iterdir()}, "the last run's is finished"
        for path in list(folder.glob(f"*{suffix}")) + list(folder.glob("*.jsonl")):
            if path.name not in recovered:
                (new / path.name).write_bytes(path.read_bytes())
        lost.append(check(new / output.name, taken))
        assert all(
            (folder / name).read_bytes() == data
            for name, data in before.items()
            if ".part" not in name
        ), "what was whole stays as it is"
    return lost


def test_a_power_cut_takes_less_than_a_second(tmp_path: Path) -> None:
    lost = cut_and_check(tmp_path, ".mp4", [2.6, 0.7])
    assert max(lost) <= 1.0
    assert len(list_recordings([str(tmp_path / "drive.mp4")])) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_twenty_power_cuts_take_less_than_a_second_each(tmp_path: Path, suffix: str) -> None:
    moments = random.Random(6)
    lost = cut_and_check(tmp_path, suffix, [moments.uniform(0.3, 5.0) for _ in range(20)])
    assert max(lost) <= 1.0
    print(f"lost at most {max(lost):.3f} s, in the median {sorted(lost)[10]:.3f} s")  # noqa: T201
