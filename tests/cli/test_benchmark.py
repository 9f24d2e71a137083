"""``rtseg benchmark`` from its own door: results on paper, requirements, and bad input."""

from __future__ import annotations

import json
from pathlib import Path

import av
import cv2
import pytest

from rtseg.cli import main
from rtseg.demo_drive import DemoDrive

SMALL = ["--size", "160x96", "--backend", "eager", "--device", "cpu", "--repeat", "1"]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "drive.mp4"
    drive = DemoDrive(1, 160, 96)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for index in range(4):
            frame = av.VideoFrame.from_ndarray(drive.render(index)[0], "bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_requirement_that_is_not_met_is_status_1(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, chart = tmp_path / "found.json", tmp_path / "chart.png"
    command = ["benchmark", str(video), *SMALL, "--no-naive", "--no-parts", "--markdown"]
    outputs = ["--json", str(found), "--chart", str(chart)]
    assert main([*command, *outputs, "--require", "fps=1e6", "bound=0"]) == 1
    captured = capsys.readouterr()
    assert captured.err.splitlines()[-1].endswith("below 1e+06")
    assert "1/2 the machine" in captured.err
    assert "| ddrnet-23-slim-camvid 160x96 eager " in captured.out
    document = json.loads(found.read_text())
    [case] = document["cases"]
    assert case["streams"][0]["frames"] == 4
    assert case["figures"]["fps"]["median"] > 0
    assert case["naives"] == []
    assert cv2.imread(str(chart)) is not None


def test_a_case_that_can_not_be_measured_is_named(
    video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["benchmark", str(video), *SMALL, "--model", "nonsense", "--no-naive", "--no-parts"]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert "rtseg: left out: nonsense 160x96 eager: " in error
    assert error.endswith("rtseg: nothing could be measured\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["absent.mp4"], "no such video file: absent.mp4"),
        (["--backend", "eager", "--precision", "fp64"], "precision"),
        (["--json", "absent/found.json"], "the folder absent doesn't exist"),
        (["--no-naive", "--require", "speedup=1.15"], "leave out --no-naive"),
        (["--build"], "--build needs the size"),
    ],
)
def test_bad_input_is_one_line_and_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [["--size", "512"], ["--size", "0x5"], ["--frames", "-1"], ["--require", "speed=1"],
     ["--require", "fps=fast"]],
)  # fmt: skip
def test_wrong_arguments_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["benchmark", *arguments])
    assert repr(arguments[1]) in capsys.readouterr().err
