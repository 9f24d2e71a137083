"""The C++ compiler: what building TorchInductor engines needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rtseg.cli._doctor.finding import Finding

COMPILERS = ("g++", "clang++", "c++")
INSTALL = "sudo apt install g++"

PROGRAM = """\
#include <cmath>
#include <omp.h>
#include <vector>
extern "C" int threads() { return std::vector<int>(1, omp_get_max_threads()).front(); }
"""
"""A compiler without its headers or without OpenMP is of no use to TorchInductor."""


def probe() -> Iterator[Finding]:
    """Compile a few lines with OpenMP into a shared library."""
    path = find()
    if path is None:
        named = os.environ.get("CXX")
        yield Finding(
            "C++ compiler",
            "missing",
            f"CXX names {named!r}, which isn't there"
            if named
            else "none; without one, engines of the backend inductor can be run but not built",
            INSTALL,
        )
        return
    problem = compile_problem(path)
    version = _first_line([path, "--version"])
    if problem:
        yield Finding("C++ compiler", "warn", f"{version}: {problem}", INSTALL)
    else:
        yield Finding("C++ compiler", "ok", version)


def find() -> str | None:
    """Return the compiler: $CXX where it is set, else the first that is installed."""
    candidates = (os.environ["CXX"],) if os.environ.get("CXX") else COMPILERS
    return next((path for name in candidates if (path := shutil.which(name))), None)


def compile_problem(compiler: str) -> str:
    """Return why a compiler can't build what is needed; empty when it can."""
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "probe.cpp", Path(folder) / "probe.so"
        source.write_text(PROGRAM)
        command = [compiler, "-shared", "-fPIC", "-fopenmp", "-o", str(library), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        if done.returncode == 0 and library.is_file():
            return ""
        errors = [line for line in done.stderr.splitlines() if "error" in line]
        return (errors or done.stderr.splitlines() or ["it doesn't compile"])[0][-160:]


def _first_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    return (done.stdout.splitlines() or [command[0]])[0]
