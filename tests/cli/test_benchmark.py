"""``rtseg benchmark`` from its own door: results on paper, requirements, and bad input."""

from __future__ import annotations

import json
from pathlib import Path

import av
import cv2
import pytest

from rtseg.bench.job import Case, Machine, Part, Parts
from rtseg.bench.report import CaseReport, Report
from rtseg.cli import main
from rtseg.cli._engine_rates import rates_grid
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


def test_engines_are_held_against_the_device() -> None:
    part = Part(name="engine, 2 cores", frames=9, wall_ms=20.0, least_ms=19.0, cpu_ms=40.0)
    parts = Parts(
        engine="DDRNet", precision="fp32", input_wh=(512, 288), source_wh=(960, 540), open_s=1.0,
        parts=(part,),
    )  # fmt: skip
    cases = tuple(
        CaseReport(case=Case(model=model), parts=parts, streams=(), naives=())
        for model in ("ddrnet-23-slim-camvid", "an-engine-folder")
    )
    machine = Machine(
        processor="p", cores=2, gpu="", memory_gib=1.0, versions={}, gflops={"fp32": 500.0},
        copy_gb_s=10.0, rates_of="2 cores",
    )  # fmt: skip
    report = Report(
        date="", machine=machine, load=None, source="s", frames=1, repetitions=1, cases=cases
    )
    grid = rates_grid(report)
    assert grid is not None
    [row] = grid.rows
    gmacs = 36.28 * 512 * 288 / (2048 * 1024)  # of the network's card
    assert float(row[1]) == pytest.approx(gmacs, rel=0.05)
    assert float(row[3]) == pytest.approx(2 * gmacs / 0.020, rel=0.05)
    assert row[5] == f"{float(row[3]) / 5:.0f} %"
    assert rates_grid(report.model_copy(update={"cases": cases[1:]})) is None


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
