"""A whole benchmark of real processes, what becomes of it, and a case that can't be measured."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import cv2
import pytest
from rich.console import Console

from rtseg.bench.benchmark import Benchmark, JobFailedError, answer
from rtseg.bench.chart import write_chart
from rtseg.bench.job import Case, Job
from rtseg.bench.report import Report
from rtseg.bench.spread import Spread, ratios
from rtseg.bench.tables import grids, heading
from rtseg.errors import SinkError
from rtseg.stream.engine_request import EngineConfig

WORKER = """
import sys
from rtseg.backends.base import Parallelism
from rtseg.bench.worker import work
from rtseg.errors import RtsegError
from rtseg.export.eager import eager_engine
from rtseg.networks.trained import load_trained

def open_engine(request):
    size = request.config.size_wh[::-1]
    trained = load_trained(request.model)
    one_core = Parallelism(request.parallelism.workers, 1)
    return eager_engine(trained, size, "fp32", request.output, "cpu", one_core)

try:
    work(open_engine)
except RtsegError as error:
    sys.exit(f"rtseg: {error}")
"""
COMMAND = (sys.executable, "-c", WORKER)
ENGINE = EngineConfig(size_wh=(160, 96), device="cpu")
GOOD = Case(model="ddrnet-23-slim-camvid", engine=ENGINE)
BAD = Case(model="nonsense-camvid", engine=ENGINE)


@pytest.fixture(scope="module")
def finished(
    clip: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Report, list[tuple[str, int, int]]]:
    told: list[tuple[str, int, int]] = []
    benchmark = Benchmark(
        [GOOD, BAD], clip, 4, 1, tmp_path_factory.mktemp("runs"), COMMAND,
        progress=lambda *what: told.append(what),
    )  # fmt: skip
    return benchmark.run(), told


def test_every_case_is_measured_or_says_why_not(
    finished: tuple[Report, list[tuple[str, int, int]]],
) -> None:
    report, told = finished
    good, bad = report.cases
    assert (len(good.streams), len(good.naives), good.problem) == (1, 1, "")
    assert good.parts is not None
    assert good.title == "ddrnet-23-slim-camvid 160x96 eager fp32 on cpu"
    assert not bad.measured
    assert "nonsense-camvid" in bad.problem
    assert bad.title == "nonsense-camvid 160x96"
    assert bad.figures() == {}
    assert [number for _, number, _ in told] == sorted(number for _, number, _ in told)
    assert {count for _, _, count in told} == {7}
    assert report.machine.cores >= 1
    assert report.machine.gflops["fp32"] > 0
    assert report.machine.copy_gb_s > 0


def test_the_figures_come_from_the_runs(
    finished: tuple[Report, list[tuple[str, int, int]]],
) -> None:
    good = finished[0].cases[0]
    figures = good.figures()
    stream, naive = good.streams[0], good.naives[0]
    assert stream.frames == naive.frames == 4
    assert figures["speedup"]["median"] == pytest.approx(stream.fps / naive.fps)
    assert figures["cpu_ratio"]["median"] == pytest.approx(stream.cpu_ms / naive.cpu_ms)
    share = stream.cpu_s / (stream.cores * stream.wall_s)
    assert figures["share_of_bound"]["median"] == pytest.approx(share)


def test_a_report_survives_json(finished: tuple[Report, list[tuple[str, int, int]]]) -> None:
    report = finished[0]
    assert Report.model_validate_json(report.model_dump_json()) == report
    document = json.loads(json.dumps(report.to_dict()))
    assert document["cases"][0]["figures"]["fps"]["median"] > 0
    assert document["cases"][0]["title"] == report.cases[0].title


def test_the_tables_name_every_stage(finished: tuple[Report, list[tuple[str, int, int]]]) -> None:
    report = finished[0]
    begins = [" ".join(grid.title.split()[:2]).rstrip(",") for grid in grids(report)]
    assert begins == ["Throughput from", "Frame age", "Memory, and", "Each stage"]
    assert all(len(row) == len(grid.columns) for grid in grids(report) for row in grid.rows)
    text = "\n".join(grid.markdown() for grid in grids(report))
    assert "| engine, 1 core |" in text
    assert "| sum of the way |" in text
    assert any("GFLOP/s fp32" in line for line in heading(report))


def test_nothing_is_cut_off_in_120_columns(
    finished: tuple[Report, list[tuple[str, int, int]]],
) -> None:
    output = io.StringIO()
    console = Console(file=output, width=120)
    for grid in grids(finished[0]):
        console.print(grid.rich())
    assert "…" not in output.getvalue()


def test_a_busy_machine_is_told(finished: tuple[Report, list[tuple[str, int, int]]]) -> None:
    report = finished[0]
    quiet = report.model_copy(update={"load": 0.1})
    busy = report.model_copy(update={"load": 4.0 * report.machine.cores})
    assert not any("WARNING" in line for line in heading(quiet))
    assert any("WARNING" in line for line in heading(busy))


def test_the_chart_is_a_picture(
    finished: tuple[Report, list[tuple[str, int, int]]], tmp_path: Path
) -> None:
    write_chart(finished[0], tmp_path / "chart.png")
    image = cv2.imread(str(tmp_path / "chart.png"))
    assert image is not None
    assert image.shape[1] == 1800
    assert image.std() > 5
    with pytest.raises(SinkError, match="can't write"):
        write_chart(finished[0], tmp_path / "absent" / "chart.png")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.abort()", "ended by signal 6"),
        ("import sys; sys.exit('rtseg: no such model\\nchatter')", "no such model"),
        ("raise ZeroDivisionError('really')", "ZeroDivisionError: really"),
        ("pass", "without a result"),
    ],
)
def test_the_last_words_of_a_process_are_told(code: str, said: str) -> None:
    with pytest.raises(JobFailedError, match=said):
        answer((sys.executable, "-c", code), Job(kind="machine"))


def test_ratios_are_taken_within_a_repetition() -> None:
    # The second repetition met a machine of half the speed; no ratio changes.
    assert ratios([40, 20, 42], [20, 10, 20]) == Spread(2.0, 2.0, 2.1, 3)
    assert Spread.of([1.0]).text() == "1.0"
    assert Spread.of([3.0, 1.0, 2.0]).text(0) == "2 (1-3)"
    with pytest.raises(ValueError, match="zip"):
        ratios([1.0], [1.0, 2.0])
