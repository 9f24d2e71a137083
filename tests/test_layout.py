"""The plan of the house, kept: which room may import which, and how long a file or function is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "rtseg"

MAY_IMPORT = {
    "errors": set(),
    "closing": set(),
    "cores": set(),
    "whole_file": set(),
    "registry": {"errors"},
    "config": {"errors"},
    "classes": {"errors"},
    "frames": {"errors", "classes"},
    "metrics": {"errors", "classes"},
    "dense_crf": {"errors", "config"},
    "instances": {"errors", "config", "classes"},
    "instance_metrics": {"errors", "classes", "metrics", "instances"},
    "_demo": {"errors", "classes", "frames"},
    "demo_drive": {"errors", "classes", "frames", "_demo"},
    "fit": {"errors", "classes", "frames"},
    "device": {"errors"},
    "weights": set(),
    "networks": {"errors", "registry", "config", "classes", "weights", "whole_file"},
    "training": {
        "errors", "registry", "config", "classes", "frames", "metrics", "instance_metrics",
        "instances", "demo_drive", "device", "networks", "dense_crf", "whole_file",
    },
    "backends": {
        "errors", "registry", "config", "classes", "frames", "fit", "device", "closing",
    },
    "stream": {
        "errors", "registry", "config", "classes", "frames", "metrics", "instances", "demo_drive",
        "fit", "device", "backends", "closing", "cores", "dense_crf", "whole_file",
    },
    "bench": {
        "errors", "cores", "config", "classes", "frames", "demo_drive", "fit", "device", "backends",
        "stream",
    },
    "export": {
        "errors", "registry", "config", "classes", "frames", "metrics", "demo_drive", "fit",
        "device", "networks", "backends", "cores",
    },
}  # fmt: skip
"""Which rooms a room may import."""

ABOVE_ALL = {
    "", "api", "opening", "engine_search", "ladder", "background_build", "cli", "__main__",
}  # fmt: skip
"""The doors, and where networks and streams meet: they may import every room."""

LONGEST_FILE = {"rtseg/networks": 600, "tests": 500}
LONGEST_FUNCTION = 50


def python_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0] if parts[0] != "__init__" else ""


def imported_rooms(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [node.module or ""]
            if node.module == "rtseg":
                names = [f"rtseg.{alias.name}" for alias in node.names]
        for name in names:
            if name.startswith("rtseg.") and name != "rtseg.__version__":
                yield name.split(".")[1]


@pytest.mark.parametrize("path", python_files(PACKAGE), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    room = room_of(path)
    if room in ABOVE_ALL:
        return
    assert room in MAY_IMPORT, f"{room} is no room of the house; add it to the plan first"
    wrong = set(imported_rooms(tree_of(path))) - MAY_IMPORT[room] - {room}
    assert not wrong, f"{room} must not import {sorted(wrong)}"


def all_python_files() -> list[Path]:
    return [
        path for name in ("rtseg", "tests", "tools") for path in python_files(ROOT / name)
    ] + sorted(ROOT.glob("*.py"))


@pytest.mark.parametrize("path", all_python_files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_stay_short(path: Path) -> None:
    source = path.read_text()
    name = path.relative_to(ROOT).as_posix()
    longest = next((n for start, n in LONGEST_FILE.items() if name.startswith(start)), 400)
    assert len(source.splitlines()) <= longest, f"{name} is too long: split it by noun"
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            has_docstring = ast.get_docstring(node) is not None
            first = body[min(1, len(body) - 1)] if has_docstring else body[0]
            length = (node.end_lineno or 0) - first.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{name}: {node.name} has {length} lines"


def test_no_file_is_a_drawer_for_everything() -> None:
    drawers = {"utils.py", "util.py", "common.py", "helpers.py", "misc.py"}
    assert not [path for path in python_files(PACKAGE) if path.name in drawers]


def test_every_module_has_a_docstring() -> None:
    missing = [
        path.relative_to(ROOT).as_posix()
        for path in python_files(PACKAGE)
        if path.read_text().strip() and not ast.get_docstring(tree_of(path))
    ]
    assert not missing
