"""A damaged file gives what can be decoded and counts the rest; one with nothing is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtseg.errors import SourceError
from rtseg.stream.sources import SourceConfig, open_source

WriteFilm = Callable[..., Path]


def read(path: Path | str, **settings: Any) -> tuple[int, list[str]]:
    with open_source(SourceConfig(uri=str(path), **settings)) as source:
        return len(list(source)), source.problems()


def refusal(path: Path | str) -> str:
    with pytest.raises(SourceError) as caught:
        open_source(SourceConfig(uri=str(path)))
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def film(tmp_path: Path, write_film: WriteFilm, numbered: Any) -> Path:
    """A film of 60 frames with so much noise that its pictures, not its index, fill the file."""
    rng = np.random.default_rng(0)
    pictures = [numbered(i) + rng.integers(0, 20, (48, 64, 3), np.uint8) for i in range(60)]
    return write_film(
        tmp_path / "film.mp4",
        pictures,
        options={"g": "10", "crf": "10"},
        container_options={"movflags": "faststart"},
    )


def test_a_whole_file_has_no_problems(film: Path) -> None:
    assert read(film) == (60, [])


def test_a_file_that_is_cut_off_gives_what_is_there(film: Path) -> None:
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    count, problems = read(film)
    assert 10 < count < 60
    assert len(problems) >= 1
    assert any("60 frames" in line and "cut off" in line for line in problems)


@pytest.mark.parametrize("ending", ["mkv", "webm", "flv"])
def test_a_cut_off_file_that_claims_only_its_duration(
    ending: str, tmp_path: Path, write_film: WriteFilm
) -> None:
    codec = "libvpx" if ending == "webm" else "libx264"
    path = write_film(tmp_path / f"film.{ending}", 100, codec=codec)
    assert read(path) == (100, [])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    count, problems = read(path)
    assert 0 < count < 60
    assert any("cut off" in line for line in problems)


def test_damaged_pictures_are_skipped_or_shown_and_counted(
    film: Path, number_of: Any, tmp_path: Path
) -> None:
    data = bytearray(film.read_bytes())
    rng = np.random.default_rng(3)
    start = data.index(b"mdat") + 4
    for place in rng.integers(start + 800, len(data), 60):
        data[place] ^= 1 << int(rng.integers(8))
    film.write_bytes(data)
    with open_source(SourceConfig(uri=str(film))) as source:
        frames = list(source)
        problems = source.problems()
    assert 20 < len(frames) <= 60
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert any("damaged" in line for line in problems)
    lost = [int(line.split(": ")[1].split()[0]) for line in problems if "gave no picture" in line]
    assert len(frames) + sum(lost) >= 60


def test_a_wrong_frame_count_gives_what_is_there(film: Path) -> None:
    """The index claims fewer pictures than the file holds: the time table is cut in half."""
    data = bytearray(film.read_bytes())
    place = data.index(b"stsz") + 12
    assert int.from_bytes(data[place : place + 4], "big") == 60
    data[place : place + 4] = (30).to_bytes(4, "big")
    film.write_bytes(data)
    assert read(film)[0] == 30


def test_no_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.mp4") == f"no such file: {tmp_path / 'no.mp4'}"


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    assert "holds no picture" in refusal(tmp_path)


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    path.touch()
    assert "is empty" in refusal(path)


@pytest.mark.parametrize("ending", ["mp4", "txt", "avi", "h264", "nfo", "ans"])
def test_text(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"notes.{ending}"
    path.write_text("Milk, bread and a new camera.\n" * 200)
    assert str(path) in refusal(path)


def test_a_recording_that_was_never_finished(film: Path) -> None:
    data = film.read_bytes()
    begin, end = data.index(b"moov") - 4, data.index(b"mdat") - 4
    film.write_bytes(data[:begin] + data[end:])
    assert "never finished" in refusal(film)


def test_sound_without_pictures(tmp_path: Path, write_film: WriteFilm) -> None:
    import av

    path = write_film(tmp_path / "both.mp4", 5, sound_ms=(0, 500))
    only = tmp_path / "sound.m4a"
    with av.open(str(path)) as both, av.open(str(only), "w", format="mp4") as sound:
        source = both.streams.audio[0]
        copy = sound.add_stream_from_template(source)
        for packet in both.demux(source):
            if packet.dts is not None:
                packet.stream = copy
                sound.mux(packet)
    assert "holds no video" in refusal(only)


def test_a_pipe_that_nobody_writes_to_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "pipe" in refusal(tmp_path / "pipe.mp4")


def test_an_unknown_scheme() -> None:
    message = refusal("gopher://host/film")
    assert "gopher" in message
    assert "rtsp://" in message


def test_no_permission(film: Path) -> None:
    """In a process of its own that is nobody, since root may read everything."""
    film.chmod(0)
    code = (
        "import os, sys\n"
        "from rtseg.errors import SourceError\n"
        "from rtseg.stream.sources import SourceConfig, open_source\n"
        "os.setuid(65534) if os.getuid() == 0 else None\n"
        "try:\n    open_source(SourceConfig(uri=sys.argv[1]))\n"
        "except SourceError as error:\n    sys.exit(f'SourceError: {error}')\n"
    )
    film.parent.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", code, film.name],
        capture_output=True,
        text=True,
        check=False,
        cwd=film.parent,  # nobody may not pass the folders above it
    )
    assert done.returncode == 1
    assert done.stderr == "SourceError: no permission to read film.mp4\n"


def test_ffmpeg_writes_nothing_to_the_terminal(film: Path) -> None:
    data = bytearray(film.read_bytes())
    for place in range(data.index(b"mdat") + 900, len(data), 97):
        data[place] ^= 0x55
    film.write_bytes(data)
    code = (
        "import sys\n"
        "from rtseg.stream.sources import SourceConfig, open_source\n"
        "print(len(list(open_source(SourceConfig(uri=sys.argv[1])))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(film)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert int(done.stdout) > 0
    assert done.stderr == ""
