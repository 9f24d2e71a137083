"""``rtseg stream`` with several sources."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import yaml

from rtseg.cli import main

ENGINE = ("--engine-size", "96x64", "--backend", "eager", "--no-build")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    made = [tmp_path_factory.mktemp("pictures") for _ in range(2)]
    for number, folder in enumerate(made):
        for index in range(6):
            image = np.full((48, 64, 3), 30 * index + number, np.uint8)
            cv2.imwrite(str(folder / f"{index}.png"), image)
    return [str(folder) for folder in made]


def frames_of(path: Path) -> int:
    with av.open(str(path)) as film:
        return sum(1 for _ in film.decode(video=0))


def test_several_sources_on_the_command_line(
    folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "figures.json"
    outputs = ("-o", str(tmp_path / "out.mp4"), "--stats", str(tmp_path / "{camera}.jsonl"))
    limits = ("--max-frames", "4", "--summary", str(figures))
    assert main(["stream", *folders, *outputs, *limits, *ENGINE]) == 0
    assert [frames_of(tmp_path / f"out-{number}.mp4") for number in (1, 2)] == [4, 4]
    assert (tmp_path / "cam1.jsonl").is_file()
    assert (tmp_path / "cam2.jsonl").is_file()
    cameras = json.loads(figures.read_text())["cameras"]
    assert [(one["key"], one["pictures"]) for one in cameras] == [("cam1", 4), ("cam2", 4)]
    shown = capsys.readouterr().out
    assert "cam1" in shown
    assert "all" in shown


def test_a_camera_that_fails_is_told_at_the_end_and_the_rest_is_done(
    folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = tmp_path / "{camera}.mp4"
    status = main(["stream", str(tmp_path / "gone.avi"), folders[0], "-o", str(film), *ENGINE])
    assert status == 2
    assert frames_of(tmp_path / "cam2.mp4") == 6
    assert not (tmp_path / "cam1.mp4").exists()
    (line,) = (li for li in capsys.readouterr().err.splitlines() if li.startswith("rtseg: "))
    assert line.startswith("rtseg: cam1: ")
    assert "gone.avi" in line


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    capsys.readouterr()
    assert main(["stream", *arguments, "--print-config"]) == 0
    values: dict[str, object] = yaml.safe_load(capsys.readouterr().out)
    return values


def test_flags_of_a_source_are_for_every_camera(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cameras.yaml"
    file.write_text(
        "cameras: [demo, {uri: 'demo:1', name: rear, fps: 5}]\nsource: {stride: 2, fps: 20}\n"
    )

    def cameras(*arguments: str) -> list[tuple[object, ...]]:
        found = printed(capsys, *arguments)["cameras"]
        assert isinstance(found, list)
        return [(one["uri"], one["fps"], one["stride"]) for one in found]

    config = ("--config", str(file))
    assert cameras(*config) == [("demo", 20, 2), ("demo:1", 5, 2)]
    assert cameras(*config, "--fps", "8") == [("demo", 8, 2), ("demo:1", 8, 2)]
    assert cameras("demo:3", "demo:4", *config) == [("demo:3", 20, 2), ("demo:4", 20, 2)]
    assert cameras("demo:3", *config) == []
    assert printed(capsys, "demo:3", *config)["source"]["uri"] == "demo:3"  # type: ignore[index]


@pytest.mark.slow
def test_ctrl_c_finishes_all_recordings(folders: list[str], tmp_path: Path) -> None:
    outputs = ("-o", str(tmp_path / "{camera}.mkv"), "--mosaic", str(tmp_path / "all.mkv"))
    command = [sys.executable, "-m", "rtseg", "stream", *folders, "--loop", *outputs, *ENGINE]
    with subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}) as child:
        end_s = time.monotonic() + 60
        films = [tmp_path / name for name in ("cam1.mkv", "cam2.mkv", "all.mkv")]
        while not all(film.exists() for film in films) and time.monotonic() < end_s:
            time.sleep(0.1)
        time.sleep(1)
        child.send_signal(signal.SIGINT)
        assert child.wait(30) == 0
    assert all(frames_of(film) for film in films)
