"""AOTInductor: the deploy graph compiled by torch into one package, for the CPU or a CUDA device.

Building needs a compiler; running needs none. The package holds machine code for the instruction
sets of the CPU, or the compute capability of the GPU, that it was built on.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from rtseg.backends._aoti_library import AotiLibrary, is_plain
from rtseg.backends.backend import BACKENDS, Backend
from rtseg.backends.base import Engine, EngineInfo, Parallelism, Precision
from rtseg.backends.engine_folder import EngineFolder
from rtseg.backends.machine import device_label
from rtseg.backends.torch_engine import Run, TorchEngine
from rtseg.errors import BackendUnavailableError, EngineError

PACKAGE = "package.pt2"
THREADS = "threads"
"""The build's argument that says for how many cores a call was compiled, on the CPU."""


class InductorBackend(Backend):
    """Runs AOTInductor packages."""

    name: ClassVar[str] = "inductor"
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32", "bf16", "fp16")
    bound_to_isa: ClassVar[bool] = True

    def require(self, device: torch.device) -> None:
        """Return if this build of torch can load packages."""
        if not hasattr(torch._C, "_aoti"):
            raise BackendUnavailableError(
                f"inductor: torch {torch.__version__} was built without AOTInductor; "
                "install torch from PyPI"
            )

    def versions(self) -> dict[str, str]:
        """Return torch's version: packages are bound to it."""
        return {"torch": str(torch.__version__)}

    def load(
        self, folder: EngineFolder, device: torch.device, parallelism: Parallelism, reason: str = ""
    ) -> Engine:
        """Load a package; this runs code of its own, so its hash is checked first."""
        path = folder.file(PACKAGE)
        info = folder.manifest.info(device_label(device), reason)
        if device.type == "cuda":
            # A CUDA graph can't be recorded through the locks that keep several callers apart;
            # once recorded it is replayed without the package, so one caller at a time is enough.
            run = _load_package(path, True, 1, device.index if device.index is not None else -1)
            return TorchEngine(run, info, device, parallelism)
        # The code was made for a number of cores, and is half as fast on any other.
        threads = int(folder.manifest.spec.arguments.get(THREADS) or parallelism.threads)
        parallelism = replace(parallelism, threads=threads)
        callers = max(1, parallelism.workers)
        if is_plain(path):
            return _LibraryEngine(AotiLibrary(path, callers), info, device, parallelism)
        return TorchEngine(_load_package(path, False, callers, -1), info, device, parallelism)


class _LibraryEngine(TorchEngine):
    """Runs a package's library.

    Args:
        library: this engine owns it.
        info: what the engine is.
        device: the CPU.
        parallelism: callers, and cores per call.
    """

    def __init__(
        self, library: AotiLibrary, info: EngineInfo, device: torch.device, parallelism: Parallelism
    ) -> None:
        super().__init__(library, info, device, parallelism)
        self._library: AotiLibrary | None = library

    def close(self) -> None:
        """Let go of the weights."""
        super().close()
        if self._library is not None:
            self._library.close()
        self._library = None


def _load_package(path: Path, run_single_threaded: bool, runners: int, device_index: int) -> Run:
    """Return the package's graph.

    The loader is called as it is: torch's Python around it takes seconds to import, and calls a
    package outdated where there is no compiler to ask for the instruction sets.
    """
    try:
        loader: Any = torch._C._aoti.AOTIModelPackageLoader(
            str(path), "model", run_single_threaded, runners, device_index
        )
    except Exception as error:  # the loader raises what it likes
        raise EngineError(f"torch {torch.__version__} can't load {path}: {error}") from error

    def run(images_bgr: Tensor) -> Tensor:
        output: Tensor = loader.boxed_run([images_bgr])[0]
        return output

    return run


BACKENDS.add("inductor", InductorBackend())
