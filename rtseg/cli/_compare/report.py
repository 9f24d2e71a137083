"""What a comparison found, as a table for people and a document for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from rtseg.bench.tables import ABSENT, Grid
from rtseg.cli._compare.result import Comparison, Conditions, NetworkResult
from rtseg.cli._picture_files import write_whole
from rtseg.networks.counting import CONVENTION
from rtseg.training.budget import Budget
from rtseg.training.comparison import HELD_OUT

PACKAGES = ("rtseg", "torch", "numpy")


def comparison_of(conditions: Conditions, results: Sequence[NetworkResult]) -> Comparison:
    """Return the document of results: the best network first, those without a score last."""
    date = datetime.now(timezone.utc).astimezone().isoformat(timespec="seconds")
    versions = {package: version(package) for package in PACKAGES}
    ranked = sorted(results, key=_rank)
    return Comparison(conditions=conditions, date=date, versions=versions, networks=tuple(ranked))


def _rank(result: NetworkResult) -> tuple[float, str]:
    return -(result.headline if result.headline is not None else -math.inf), result.name


def table(comparison: Comparison) -> Grid:
    """Return one row for each network."""
    held_out = bool(comparison.conditions.recipe.hold_out)
    columns = (
        "network", "M parameters", "GMACs", "steps",
        *([f"{HELD_OUT} mIoU %"] if held_out else []), "val mIoU %", "val pixels %",
        "latency ms", "CPU ms",
    )  # fmt: skip
    rows = tuple(tuple(_row(result, held_out)) for result in comparison.networks)
    return Grid(f"Networks after {budget_title(comparison)} of training each", columns, rows)


def _row(result: NetworkResult, held_out: bool) -> list[str]:
    trained = result.trained
    scores = trained.scores if trained else {}
    val, unseen = scores.get("val"), scores.get(HELD_OUT)
    latency, cpu = result.latency_ms(), result.cpu_ms()
    row = [
        result.name,
        f"{result.parameters / 1e6:.2f}",
        f"{result.gmacs:.2f}",
        f"{trained.steps}" if trained else ABSENT,
    ]
    if held_out:
        row.append(percent(unseen.mean_iou if unseen else None))
    return [
        *row,
        percent(val.mean_iou if val else None),
        percent(val.pixel_accuracy if val else None),
        latency.text(0 if latency.median >= 100 else 1) if latency else ABSENT,
        cpu.text(0 if cpu.median >= 100 else 1) if cpu else ABSENT,
    ]


def percent(share: float | None) -> str:
    """Return a share as percent with one decimal, or a dash."""
    return ABSENT if share is None else f"{100 * share:.1f}"


def budget_title(comparison: Comparison) -> str:
    """Return the budget in words."""
    return Budget.parse(comparison.conditions.budget).title


def heading(comparison: Comparison) -> list[str]:
    """Return lines that state the conditions which the figures hold under."""
    conditions, recipe = comparison.conditions, comparison.conditions.recipe
    optim = recipe.optim
    crop, batch = _hw(recipe.crop_hw), recipe.batch_size
    lines = [
        f"{conditions.data.stem}, trained from drawn weights for {budget_title(comparison)} each: "
        f"crops of {crop}, batch {batch}, {optim.name} at {optim.lr:g}, seed {recipe.seed}",
        _scoring(comparison),
        _timing(comparison),
        f"GMACs of one picture of {_hw(recipe.latency.input_hw)}: {CONVENTION}",
        ", ".join(f"{name} {number}" for name, number in comparison.versions.items()),
    ]
    return [line for line in lines if line]


def _scoring(comparison: Comparison) -> str:
    recipe = comparison.conditions.recipe
    counts = {
        name: score.pictures
        for result in comparison.networks
        if result.trained
        for name, score in result.trained.scores.items()
    }
    if not counts:
        return ""
    pictures = ", ".join(f"{name} {count}" for name, count in counts.items())
    size = recipe.scoring.input_hw
    patterns = f" ({HELD_OUT}: {' '.join(recipe.hold_out)}, from {recipe.train_split})"
    return (
        f"scored on {pictures} pictures{patterns if recipe.hold_out else ''}, "
        f"{'brought to ' + _hw(size) if size else 'at their own size'}, void left out"
    )


def _timing(comparison: Comparison) -> str:
    timings = [timing for result in comparison.networks for timing in result.timings]
    if not timings:
        return ""
    latency, hardware = (
        comparison.conditions.recipe.latency,
        dict.fromkeys(f"{timing.hardware}, {timing.precision}" for timing in timings),
    )
    return (
        f"latency: one picture of {_hw(latency.input_hw)} to its class map in PyTorch, median of "
        f"{latency.repetitions} repetitions (least-greatest), on {' and '.join(hardware)}; "
        "CPU: of all threads together"
    )


def _hw(hw: tuple[int, int]) -> str:
    return f"{hw[0]}x{hw[1]} (height x width)"


def markdown(comparison: Comparison) -> str:
    """Return conditions, table and problems as a page."""
    problems = [f"- {line}" for line in problem_lines(comparison)]
    parts = ["  \n".join(heading(comparison)), table(comparison).markdown()]
    if problems:
        parts.append("Left out:\n\n" + "\n".join(problems))
    return "\n\n".join(parts) + "\n"


def problem_lines(comparison: Comparison) -> list[str]:
    """Return a line for each network that something is missing of."""
    return [f"{each.name}: {each.problem}" for each in comparison.networks if each.problem]


def write_documents(comparison: Comparison, folder: Path) -> None:
    """Write ``comparison.json`` and ``comparison.md``.

    Raises:
        DataError: they can't be written.
    """
    text = comparison.model_dump_json(indent=1) + "\n"
    write_whole(folder / "comparison.json", text.encode())
    write_whole(folder / "comparison.md", markdown(comparison).encode())
