from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml

from rtseg.cli import main

SMALL = ("--engine-size", "96x64", "--backend", "eager", "--precision", "fp32")
"""An engine that costs little; what it sees is not looked at."""
DEMO = ("demo", "--size", "160x96", "--max-frames")


def run(*arguments: str | Path) -> int:
    return main(["stream", *map(str, arguments)])


def video_times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [float(frame.pts * stream.time_base) for frame in container.decode(video=0)]


def write_film(path: Path, times_ms: list[int]) -> None:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        rng = np.random.default_rng(0)
        for time_ms in times_ms:
            frame = av.VideoFrame.from_ndarray(rng.integers(0, 255, (96, 160, 3), np.uint8))
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of five frames, which is there sooner than a street of the demo drive."""
    path = tmp_path_factory.mktemp("short") / "short.mkv"
    write_film(path, list(range(0, 500, 100)))
    return path


def test_the_demo_becomes_a_film_with_a_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film, figures = tmp_path / "demo.mp4", tmp_path / "summary.json"
    assert run(*DEMO, 12, *SMALL, "-o", film, "--summary", figures) == 0
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert (stream.width, stream.height) == (160, 96)
        assert len(list(container.decode(video=0))) == 12
    printed = capsys.readouterr().out
    for word in ("frames", "dropped", "frame age", "start-up", "engine", "chosen", "mIoU"):
        assert word in printed
    summary = json.loads(figures.read_text())
    assert summary["pictures"] == 12
    assert summary["dropped"] == 0
    assert 0 < summary["accuracy"]["mean_iou"] < 1
    assert {"capture", "preprocess", "engine", "postprocess", "overlay"} <= set(summary["stages"])
    age = summary["age"]
    assert age["p50"] <= age["p90"] <= age["p99"] <= age["max"]


def test_verbose_says_why_not_the_other_backends(
    short: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.NOTSET, "rtseg")  # puts back what the command changes
    alone = ("--engine-size", "96x64", "--engines", tmp_path, "--set", "engine.build=never")
    assert run(short, "--max-frames", 1, *alone, "-o", "null", "-q") == 0
    assert not [text for text in caplog.messages if text.startswith("not ")]
    assert run(short, "--max-frames", 1, *alone, "-o", "null", "-q", "-v") == 0
    assert [text for text in caplog.messages if text.startswith("not openvino: ")]
    assert [text for text in caplog.messages if text.startswith("not inductor: ")]


def test_several_outputs_at_once(short: Path, tmp_path: Path) -> None:
    outputs = [tmp_path / "a.mp4", tmp_path / "b.mkv", tmp_path / "c" / "%06d.png"]
    masks, stats = tmp_path / "masks.mkv", tmp_path / "stats.jsonl"
    wanted = [part for output in outputs for part in ("-o", output)]
    assert run(short, *SMALL, *wanted, "--masks", masks, "--stats", stats) == 0
    assert len(video_times(outputs[0])) == len(video_times(outputs[1])) == 5
    assert len(list((tmp_path / "c").glob("*.png"))) == 5
    assert len(video_times(masks)) == 5
    lines = [json.loads(line) for line in stats.read_text().splitlines()]
    assert [line["index"] for line in lines] == list(range(5))


def test_the_motorway_clip_keeps_its_frames_length_and_sound(
    shared_data: Path, tmp_path: Path
) -> None:
    clip = shared_data / "videos" / "udacity_p1_solidWhiteRight.mp4"
    film = tmp_path / "labelled.mp4"
    assert run(clip, *SMALL, "-o", film) == 0
    with av.open(str(film)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        duration_s = container.duration / av.time_base
    times = video_times(film)
    assert len(times) == 221
    assert abs(duration_s - 8.84) <= 0.04
    assert times == pytest.approx([index / 25 for index in range(221)], abs=1e-3)


def test_uneven_frame_times_are_kept_to_the_millisecond(tmp_path: Path) -> None:
    steps = np.random.default_rng(1).integers(5, 200, 40)
    times_ms = [0, *np.cumsum(steps).tolist()]
    clip, film = tmp_path / "uneven.mkv", tmp_path / "labelled.mp4"
    write_film(clip, times_ms)
    assert run(clip, *SMALL, "-o", film) == 0
    assert video_times(film) == pytest.approx([t / 1000 for t in times_ms], abs=1e-3)


def test_the_printed_configuration_runs_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = (*DEMO, 3, "--alpha", 0.3, "--classes", "Road,Car", "-o", tmp_path / "a.mp4")
    assert run(*asked, "--print-config") == 0
    printed = capsys.readouterr().out
    values = yaml.safe_load(printed)
    assert values["overlay"]["alpha"] == 0.3
    assert values["overlay"]["classes"] == ["Road", "Car"]
    config = tmp_path / "run.yaml"
    config.write_text(printed)
    assert run("--config", config, "--print-config") == 0
    assert capsys.readouterr().out == printed


def test_flags_are_stronger_than_the_file_and_set_than_flags(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "run.yaml"
    config.write_text("overlay: {alpha: 0.1, mode: mask, outlines: true}\n")
    given = ("--config", config, "--alpha", "0.2", "--mode", "picture")
    assert run(*given, "--set", "overlay.alpha=0.3", "--print-config") == 0
    overlay = yaml.safe_load(capsys.readouterr().out)["overlay"]
    assert (overlay["alpha"], overlay["mode"], overlay["outlines"]) == (0.3, "picture", True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing.mp4",), "nothing.mp4"),
        (("demo", "--alpha", "7"), "alpha"),
        (("demo", "--classes", "roda"), "Road"),
        (("demo", "--model", "linknet-camvit"), "linknet-camvid"),
        (("demo", "--backend", "tensorflow"), "backend"),
        (("demo", "--set", "overlay.alfa=1"), "'alpha'"),
        (("demo", "--size", "12"), "size"),
        (("demo", "-o", "film.docx"), ".mp4"),
        (("demo", "--device", "cuda:7"), "cuda:7"),
        (("rtsp://user:secret@127.0.0.1:9/cam",), "127.0.0.1"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = () if "-o" in arguments else ("-o", "null")
    assert run(*arguments, *outputs) == 2
    error = capsys.readouterr().err
    assert error.startswith("rtseg: ")
    assert error.count("\n") == 1
    assert words in error
    assert "secret" not in error


def test_without_a_display_the_outputs_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert run("demo") == 2
    assert "-o" in capsys.readouterr().err


def test_an_existing_film_is_kept(
    short: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(b"precious")
    assert run(short, *SMALL, "-o", film) == 2
    assert film.read_bytes() == b"precious"
    assert "--overwrite" in capsys.readouterr().err
    assert run(short, *SMALL, "-o", film, "--overwrite") == 0
    assert len(video_times(film)) == 5


@pytest.fixture
def recording(
    tmp_path: Path,
) -> Iterator[Callable[..., tuple[subprocess.Popen[bytes], Path]]]:
    """Start an endless recording in a process of its own; return it once its film grows."""
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str = "film.mp4") -> tuple[subprocess.Popen[bytes], Path]:
        film = tmp_path / name
        command = [sys.executable, "-m", "rtseg", "stream", "demo", "--loop", "--size", "160x96"]
        process = subprocess.Popen(
            [*command, *SMALL, "-q", "-o", str(film)],
            stderr=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        started.append(process)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            if film.exists() and film.stat().st_size > 20_000:
                return process, film
            time.sleep(0.02)
        process.kill()
        pytest.fail(f"no film: {process.communicate()[1].decode()}")

    yield start
    for process in started:
        with process:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_recording_within_two_seconds(
    recording: Callable[..., tuple[subprocess.Popen[bytes], Path]], number: signal.Signals
) -> None:
    seconds: list[float] = []
    for attempt in range(3):  # a machine that does much else may be late once
        process, film = recording(f"film{attempt}.mp4")
        process.send_signal(number)
        sent_s = time.monotonic()
        _, errors = process.communicate(timeout=60)
        seconds.append(time.monotonic() - sent_s)
        assert process.returncode == 0, errors.decode()
        times = video_times(film)
        assert times == pytest.approx([index / 30 for index in range(len(times))], abs=1e-3)
        if seconds[-1] <= 2:
            break
    assert min(seconds) <= 2, seconds


@pytest.mark.parametrize(
    "attempt",
    [pytest.param(0, marks=pytest.mark.slow), 1, pytest.param(2, marks=pytest.mark.slow)],
)
def test_a_killed_recording_plays(
    recording: Callable[..., tuple[subprocess.Popen[bytes], Path]], attempt: int
) -> None:
    process, film = recording("film.mp4" if attempt % 2 else "film.mkv")
    time.sleep(0.3 * attempt)
    process.kill()
    process.communicate()
    times = video_times(film)
    assert len(times) > 10
    assert times == pytest.approx([index / 30 for index in range(len(times))], abs=1e-3)
