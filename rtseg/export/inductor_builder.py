"""Compiles the deploy graph with AOTInductor."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch

from rtseg.backends._threads import torch_threads
from rtseg.backends.base import Precision
from rtseg.backends.inductor import PACKAGE, THREADS
from rtseg.backends.manifest import Argument
from rtseg.cores import usable_cores
from rtseg.errors import BackendUnavailableError
from rtseg.export.builder import BUILDERS, Builder, BuildRequest, Built, Log, deploy_graph
from rtseg.export.deploy_graph import DeployGraph


class InductorBuilder(Builder):
    """Builds AOTInductor packages; needs a C++ compiler."""

    backend: ClassVar[str] = "inductor"
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32", "bf16", "fp16")
    defaults: ClassVar[Mapping[str, Argument]] = {"max_autotune": False}
    """max_autotune: try more kernels for each operation; longer builds."""

    def arguments(self, request: BuildRequest) -> dict[str, Argument]:
        """Return every argument of the build; on the CPU the number of cores is one of them."""
        chosen = super().arguments(request)
        if request.device.type == "cpu":
            chosen[THREADS] = request.threads or usable_cores()
        return chosen

    def require(self, request: BuildRequest) -> None:
        """Return if there is a compiler."""
        compiler()

    def versions(self) -> dict[str, str]:
        """Return torch's version."""
        return {"torch": str(torch.__version__)}

    def build(self, request: BuildRequest, folder: Path, log: Log) -> Built:
        """Write ``package.pt2``."""
        log(f"exporting the graph; compiler: {compiler()}")
        program = _graph(request).exported(request.batch)
        log("compiling, which takes from half a minute to some minutes")
        path = folder / PACKAGE
        arguments = self.arguments(request)
        settings = inductor_settings(arguments, request.device)
        # Weights are laid out for as many cores as there are now: on another number of them they
        # would be laid out anew at every call, which takes as long as the network itself.
        with (
            torch_threads(int(arguments.get(THREADS) or 0)),
            warnings.catch_warnings(),
            torch.no_grad(),
        ):
            warnings.simplefilter("ignore")
            torch._inductor.aoti_compile_and_package(
                program, package_path=str(path), inductor_configs=settings
            )
        return Built((PACKAGE,), {"compiler": compiler()})


def _graph(request: BuildRequest) -> DeployGraph:
    """Return the graph with the labelling that compiles better on the device.

    On the CPU a chain of comparisons over full-size logits is half the time of an argmax; over
    logits that are resized first, every comparison would resize anew.
    """
    graph = deploy_graph(request)
    if request.device.type == "cpu" and not graph.resizes():
        graph.labelling = "running_max"
    return graph


def inductor_settings(arguments: Mapping[str, Argument], device: torch.device) -> dict[str, Any]:
    """Return what the compiler is told.

    Freezing makes weights constants, so that the CPU's convolutions get theirs in the blocked
    layout once, at build time, and not at every call. Dynamic threads leave the number of cores to
    the caller; without it, that of the build is in the code.
    """
    settings: dict[str, Any] = {"freezing": True, "max_autotune": bool(arguments["max_autotune"])}
    if device.type == "cpu":
        settings["cpp.dynamic_threads"] = True
    return settings


def compiler() -> str:
    """Return the C++ compiler that torch would take.

    Raises:
        BackendUnavailableError: there is none.
    """
    from torch._inductor.cpp_builder import get_cpp_compiler

    try:
        return str(get_cpp_compiler())
    except Exception as error:  # torch's own classes differ by version
        raise BackendUnavailableError(
            "inductor: building needs a C++ compiler and none was found; install g++ or clang++ "
            "(apt install g++), or name one in the variable CXX"
        ) from error


BUILDERS.add("inductor", InductorBuilder())
