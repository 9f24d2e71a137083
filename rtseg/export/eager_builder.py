"""Writes the deploy graph as a program of `torch.export`, which runs without networks' code."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import ClassVar

import torch
from torch.export import ExportedProgram

from rtseg.backends.base import Precision
from rtseg.backends.eager import EAGER_PRECISIONS, PROGRAM
from rtseg.export.builder import BUILDERS, Builder, BuildRequest, Built, Log, deploy_graph


class EagerBuilder(Builder):
    """Exports; nothing is compiled."""

    backend: ClassVar[str] = "eager"
    precisions: ClassVar[tuple[Precision, ...]] = EAGER_PRECISIONS

    def require(self, request: BuildRequest) -> None:
        """Return always: torch is there."""

    def versions(self) -> dict[str, str]:
        """Return torch's version."""
        return {"torch": str(torch.__version__)}

    def build(self, request: BuildRequest, folder: Path, log: Log) -> Built:
        """Write ``program.pt2``."""
        log("exporting the graph")
        save_program(deploy_graph(request).exported(request.batch), folder / PROGRAM)
        return Built((PROGRAM,))


def save_program(program: ExportedProgram, path: Path) -> None:
    """Write a program without sample inputs, which torch would pickle."""
    program._example_inputs = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(program, path)


BUILDERS.add("eager", EagerBuilder())
