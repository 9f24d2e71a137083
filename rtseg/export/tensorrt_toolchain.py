"""Torch-TensorRT and TensorRT, opened when they are needed, on machines without a GPU too.

TensorRT-RTX builds plans without a GPU. Torch-TensorRT doesn't know that: it asks `torch.cuda` for
a device when it is imported and when it builds, loads libraries that need CUDA, and opens the plan
that it built, to write it out again. `without_gpu` answers in the GPU's stead, in a block and no
longer. What the answers are doesn't reach the plan.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import io
import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch

from rtseg.errors import BackendUnavailableError, MissingExtraError

DISTRIBUTIONS = {"torch-tensorrt-rtx": "tensorrt_rtx", "torch-tensorrt": "tensorrt"}
"""Distributions that bring `torch_tensorrt`, and the TensorRT that each builds with."""
PURPOSE = "building TensorRT engines"
TORCH_TENSORRT_LOG = "torch_tensorrt"
TENSORRT_LOG = "torch_tensorrt [TensorRT Conversion Context]"
"""The logger that TensorRT's own messages go to."""

_opening = threading.RLock()


@dataclass(frozen=True, slots=True)
class Toolchain:
    """What builds TensorRT plans.

    Args:
        torch_tensorrt: the module.
        tensorrt: the bindings that it builds with.
        package: ``"tensorrt"`` or ``"tensorrt_rtx"``.
        has_gpu: whether a plan that was built can also be run here.
    """

    torch_tensorrt: ModuleType
    tensorrt: ModuleType
    package: str
    has_gpu: bool

    @property
    def is_rtx(self) -> bool:
        """Whether this is TensorRT-RTX, which builds without a GPU and has no int8."""
        return self.package == "tensorrt_rtx"

    @property
    def title(self) -> str:
        """Name and version for a person."""
        return f"{'TensorRT-RTX' if self.is_rtx else 'TensorRT'} {self.tensorrt.__version__}"


def installed_package() -> str | None:
    """Return which TensorRT the installed Torch-TensorRT builds with; None where there is none.

    Imports nothing.
    """
    for distribution, package in DISTRIBUTIONS.items():
        try:
            importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
        return package
    return None


def require_toolchain() -> None:
    """Return if plans can be built here; cheap, and imports nothing.

    Raises:
        MissingExtraError: Torch-TensorRT is not installed.
        BackendUnavailableError: it is, but without a GPU only TensorRT-RTX builds.
    """
    package = installed_package()
    if package is None:
        raise MissingExtraError("torch_tensorrt", "tensorrt", PURPOSE)
    if package == "tensorrt" and not torch.cuda.is_available():
        raise BackendUnavailableError(
            "TensorRT builds on the GPU that the engine is for, and torch "
            f"{torch.__version__} finds none here; TensorRT-RTX builds without one: "
            "pip install 'rtseg[tensorrt-rtx]'"
        )


def open_toolchain() -> Toolchain:
    """Import Torch-TensorRT and its TensorRT; takes seconds the first time.

    Raises:
        MissingExtraError, BackendUnavailableError: as `require_toolchain`, or an import failed.
    """
    require_toolchain()
    has_gpu = torch.cuda.is_available()
    try:
        with _opening, _quiet_import(has_gpu):
            torch_tensorrt = importlib.import_module("torch_tensorrt")
            importlib.import_module("torch_tensorrt.dynamo")
            bindings = importlib.import_module("tensorrt")  # an alias where it is TensorRT-RTX
    except Exception as error:  # a missing libnvinfer is a bare Exception
        raise BackendUnavailableError(
            f"torch_tensorrt can't be imported: {error}; it must fit torch {torch.__version__} "
            "(same minor version) and its TensorRT must be installed"
        ) from error
    return Toolchain(torch_tensorrt, bindings, installed_package() or "tensorrt", has_gpu)


@contextmanager
def without_gpu() -> Iterator[None]:
    """Answer in the stead of a GPU what Torch-TensorRT asks of torch; one block at a time."""
    plenty = (1 << 40, 1 << 40)
    with _opening, ExitStack() as stack:
        for name, answer in (
            ("get_device_capability", (0, 0)),
            ("current_device", 0),
            ("mem_get_info", plenty),
        ):
            stack.enter_context(replaced(torch.cuda, name, _always(answer)))
        if not hasattr(torch._C, "_CudaDeviceProperties"):  # a torch without CUDA
            stack.enter_context(replaced(torch._C, "_CudaDeviceProperties", object))
        yield


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Give `owner` another attribute while the block runs, and its own again after it."""
    missing = object()
    before = getattr(owner, name, missing)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if before is missing:
            delattr(owner, name)
        else:
            setattr(owner, name, before)


@contextmanager
def _quiet_import(has_gpu: bool) -> Iterator[None]:
    """Keep what the import prints off the screen, and its libraries unloaded without a GPU."""
    captured = warnings.showwarning.__module__ == "logging"
    with ExitStack() as stack:
        if not has_gpu:
            stack.enter_context(without_gpu())
            stack.enter_context(replaced(os.path, "isfile", _isfile_but(os.path.isfile)))
        stack.enter_context(redirect_stdout(io.StringIO()))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(diverted_log(logging.NullHandler()))
        yield
    if not captured:  # the import sends every warning of the process to the log
        logging.captureWarnings(False)


@contextmanager
def diverted_log(handler: logging.Handler) -> Iterator[None]:
    """Send what Torch-TensorRT and TensorRT log to `handler` alone while the block runs."""
    loggers = [logging.getLogger(name) for name in (TORCH_TENSORRT_LOG, TENSORRT_LOG)]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate


def _always(answer: Any) -> Any:
    return lambda *_, **__: answer


def _isfile_but(isfile: Any) -> Any:
    """Return `isfile`, blind for the libraries of Torch-TensorRT's own runtime."""
    return lambda path: "libtorchtrt" not in str(path) and isfile(path)
