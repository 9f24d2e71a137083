"""Broken files of every sort end in frames or one clear line: no hang, no traceback, no crash."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

WriteFilm = Callable[..., Path]

CONTAINERS = {"mp4": "libx264", "mkv": "libx264", "avi": "mpeg4", "ts": "libx264", "webm": "libvpx"}
SECONDS_A_CASE = 10
NUM_CASES = 500

READER = """
import faulthandler, os, sys
from pathlib import Path
from rtseg.errors import SourceError
from rtseg.stream.sources import SourceConfig, open_source

if hasattr(os, "setuid") and os.getuid() == 0:
    os.setuid(65534)  # nobody, for whom permissions count
for path in sys.stdin.read().splitlines():
    faulthandler.dump_traceback_later(int(sys.argv[1]), exit=True)
    number = int(Path(path).stem.rsplit("_", 1)[-1])
    settings = {"start_s": 0.3} if number % 3 == 0 else {}
    settings |= {"loop": 2} if number % 5 == 0 else {}
    try:
        with open_source(SourceConfig(uri=path, max_frames=400, **settings)) as source:
            num, last_s = 0, 0.0
            for frame in source:
                assert frame.index == num and frame.pts_s >= last_s, frame
                num, last_s = num + 1, frame.pts_s
        assert all(chr(10) not in problem for problem in source.problems())
        outcome = f"frames {num}"
    except SourceError as error:
        assert chr(10) not in str(error) and Path(path).name in str(error), error
        outcome = f"error {error}"
    print(f"{Path(path).name}: {outcome}", flush=True)
"""


def make_cases(folder: Path, originals: dict[str, Path], num: int) -> list[Path]:
    """Return `num` broken files, folders and pipes, the same ones every time."""
    rng = np.random.default_rng(num)
    makers = [_cut, _flip, _flip_header, _overwrite, _drop, _join, _shuffle, _special]
    cases = []
    for number in range(num):
        ending = list(originals)[number % len(originals)]
        path = folder / f"case_{ending}_{number}.{ending}"
        data = originals[ending].read_bytes()
        broken = makers[int(rng.integers(len(makers)))](rng, data, path)
        if broken is not None:
            path.write_bytes(broken)
        cases.append(path)
    return cases


def _cut(rng: np.random.Generator, data: bytes, _: Path) -> bytes:
    return data[: int(rng.integers(len(data)))]


def _flip(rng: np.random.Generator, data: bytes, _: Path) -> bytes:
    broken = bytearray(data)
    for place in rng.integers(len(data), size=int(rng.integers(1, 80))):
        broken[place] ^= 1 << int(rng.integers(8))
    return bytes(broken)


def _flip_header(rng: np.random.Generator, data: bytes, _: Path) -> bytes:
    """Where the sizes, counts and codecs are written."""
    broken = bytearray(data)
    ends = [*range(min(900, len(data))), *range(max(0, len(data) - 900), len(data))]
    for place in rng.choice(ends, size=int(rng.integers(1, 12))):
        broken[place] = int(rng.integers(256))
    return bytes(broken)


def _overwrite(rng: np.random.Generator, data: bytes, _: Path) -> bytes:
    start, size = int(rng.integers(len(data))), int(rng.integers(1, 4000))
    filling = (
        bytes(size) if rng.integers(2) else rng.integers(256, size=size, dtype=np.uint8).tobytes()
    )
    return data[:start] + filling + data[start + size :]


def _drop(rng: np.random.Generator, data: bytes, _: Path) -> bytes:
    start = int(rng.integers(len(data)))
    return data[:start] + data[start + int(rng.integers(1, 4000)) :]


def _join(rng: np.random.Generator, data: bytes, _: Path) -> bytes:
    return data[: int(rng.integers(len(data)))] + data[int(rng.integers(len(data))) :]


def _shuffle(rng: np.random.Generator, data: bytes, _: Path) -> bytes:
    pieces = [data[start : start + 512] for start in range(0, len(data), 512)]
    first, second = rng.integers(len(pieces), size=2)
    pieces[first], pieces[second] = pieces[second], pieces[first]
    return b"".join(pieces)


def _special(rng: np.random.Generator, data: bytes, path: Path) -> bytes | None:
    kind = int(rng.integers(6))
    if kind == 0:
        return b""
    if kind == 1:
        return b"This was never a film.\n" * int(rng.integers(1, 400))
    if kind == 2:
        path.mkdir()
    elif kind == 3:
        os.mkfifo(path)
    elif kind == 4:
        path.symlink_to("/dev/zero")
    else:
        path.write_bytes(data)
        path.chmod(0)
    return None


def read_in_a_process_of_its_own(cases: list[Path]) -> dict[str, str]:
    """Return what became of each file, by its name."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READER, str(SECONDS_A_CASE)],
        # Relative to its folder: nobody may not pass the folders above it.
        input="\n".join(case.name for case in cases),
        cwd=cases[0].parent,
        capture_output=True,
        text=True,
        timeout=len(cases) * 2 + 60,
        check=False,
    )
    outcomes = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    stopped_at = cases[len(outcomes)].name if len(outcomes) < len(cases) else "the end"
    assert done.returncode == 0, f"ended with {done.returncode} at {stopped_at}: {done.stderr}"
    assert done.stderr == ""
    return outcomes


def test_five_hundred_broken_files(tmp_path: Path, write_film: WriteFilm) -> None:
    originals = {
        ending: write_film(
            tmp_path / f"whole.{ending}", 25, codec=codec, sound_ms=(0, 1000), options={"g": "10"}
        )
        for ending, codec in CONTAINERS.items()
    }
    folder = tmp_path / "broken"
    folder.mkdir(mode=0o755)
    outcomes = read_in_a_process_of_its_own(make_cases(folder, originals, NUM_CASES))
    assert len(outcomes) == NUM_CASES
    share = sum(outcome.startswith("frames") for outcome in outcomes.values()) / NUM_CASES
    assert 0.3 < share < 0.95, "the cases are too harsh, or too mild, to show much"
