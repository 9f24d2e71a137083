"""Builds TensorRT plans with Torch-TensorRT, for TensorRT and TensorRT-RTX alike."""

from __future__ import annotations

import dataclasses
import platform
import shutil
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor
from torch.export import ExportedProgram

from rtseg.backends._tensorrt_hybrid import HYBRID
from rtseg.backends.base import Precision
from rtseg.backends.engine_folder import EngineFolder, list_engines
from rtseg.backends.machine import Machine, this_machine
from rtseg.backends.manifest import Argument
from rtseg.backends.tensorrt import PLAN, TensorRTBackend
from rtseg.errors import BackendUnavailableError, EngineError, MissingExtraError
from rtseg.export.builder import BUILDERS, Builder, BuildRequest, Built, Log, deploy_graph
from rtseg.export.tensorrt_hybrid import build_hybrid, torch_operations
from rtseg.export.tensorrt_int8 import (
    exported_quantised,
    quantised,
    require_quantiser,
    traceable_quantisers,
)
from rtseg.export.tensorrt_plan import BuiltPlan, build_plan, checked_arguments
from rtseg.export.tensorrt_toolchain import (
    Toolchain,
    installed_package,
    open_toolchain,
    require_toolchain,
)

TIMING_CACHE = "timing.cache"
"""Times of the kernels that TensorRT tried; a later build of the like takes less time with it."""
RTX_GPUS = "any GPU of compute capability 8.0, 8.6, 8.9, 12.0 or later"
"""What a plan of TensorRT-RTX that was built without a GPU runs on."""
CONVOLUTION_DTYPES = {"fp32": "FLOAT", "fp16": "HALF", "bf16": "BF16"}


class TensorRTBuilder(Builder):
    """Builds one plan of the whole graph; where a part can't be converted, a hybrid engine.

    Besides its own, it takes every argument that the installed Torch-TensorRT gives its builder,
    such as ``max_aux_streams`` or ``tiling_optimization_level``.
    """

    backend: ClassVar[str] = "tensorrt"
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32", "fp16", "bf16", "int8")
    defaults: ClassVar[Mapping[str, Argument]] = {
        "optimization_level": 3,
        "workspace_size": 0,
        "hardware_compatible": False,
        "version_compatible": False,
    }
    """optimization_level: 0 to 5, the higher the longer TensorRT searches. workspace_size: bytes
    that a kernel may take for itself, 0: no limit. hardware_compatible: runs on every GPU from
    Ampere on, slower. version_compatible: runs with later TensorRTs of the same major version."""

    def require(self, request: BuildRequest) -> None:
        """Return if Torch-TensorRT is there, and a GPU or TensorRT-RTX."""
        require_toolchain()
        if request.precision == "int8":
            if installed_package() == "tensorrt_rtx":
                raise BackendUnavailableError(
                    "TensorRT-RTX has no int8 convolutions; take fp16, or build int8 with "
                    "TensorRT: pip install 'rtseg[tensorrt]'"
                )
            require_quantiser()

    def versions(self) -> dict[str, str]:
        """Return the version of the TensorRT that builds."""
        package = installed_package()
        found = TensorRTBackend().versions()
        if package not in found:
            raise MissingExtraError("torch_tensorrt", "tensorrt", "building TensorRT engines")
        return {package: found[package]}

    def machine(self, request: BuildRequest) -> Machine:
        """Return this machine; without a GPU, what a plan of TensorRT-RTX runs on."""
        if request.device.type == "cuda":
            return this_machine(request.device)
        return Machine(
            system=sys.platform, arch=platform.machine(), device="cuda", device_name=RTX_GPUS
        )

    def arguments(self, request: BuildRequest) -> dict[str, Argument]:
        """Return the defaults and what was given.

        Raises:
            EngineError: the installed Torch-TensorRT doesn't know an argument.
        """
        exact: dict[str, Argument] = {"disable_tf32": True} if request.precision == "fp32" else {}
        chosen = {**self.defaults, **exact, **request.arguments}
        if not request.arguments.keys() <= self.defaults.keys():
            checked_arguments(open_toolchain(), request.arguments)
        return chosen

    def build(self, request: BuildRequest, folder: Path, log: Log) -> Built:
        """Write ``engine.plan``, or ``engine.ep`` where the graph doesn't convert whole."""
        with traceable_quantisers() if request.precision == "int8" else nullcontext():
            return self._build(open_toolchain(), request, folder, log)

    def _build(self, toolchain: Toolchain, request: BuildRequest, folder: Path, log: Log) -> Built:
        log(f"building with {toolchain.title}")
        program, example = _program(request, log)
        arguments = self.arguments(request)
        said = _Detail(folder / "tensorrt.log")
        _seed_timing_cache(folder, self.versions(), self.machine(request))
        cache = "" if toolchain.is_rtx else str(folder / TIMING_CACHE)
        try:
            built = build_plan(toolchain, program, example, arguments, said, cache)
        except EngineError:
            stayed = torch_operations(toolchain, program, example, said)
            if not stayed:
                raise
            log(f"no TensorRT for {', '.join(stayed)}: torch runs them, TensorRT the rest")
            build_hybrid(toolchain, program, example, arguments, folder / HYBRID, said)
            return Built((HYBRID,), {"tensorrt": {"torch_operations": list(stayed)}})
        check_precision_kept(built, request.precision)
        (folder / PLAN).write_bytes(built.plan)
        log(f"one plan of {sum(built.network.layers.values())} layers")
        return Built((PLAN,), {"tensorrt": _notes(toolchain, built)})


def check_precision_kept(built: BuiltPlan, precision: str) -> None:
    """Refuse a plan that was built in another precision than asked for.

    Raises:
        EngineError: a convolution is in another number format.
    """
    found = built.network.convolutions
    wanted = CONVOLUTION_DTYPES.get(precision)
    if wanted is not None and set(found) - {wanted}:
        raise EngineError(
            f"{precision} was asked for, but TensorRT got convolutions in "
            f"{', '.join(f'{name} ({count})' for name, count in found.items())}"
        )
    if precision == "int8" and not built.network.layers.get("QUANTIZE"):
        raise EngineError("int8 was asked for, but TensorRT got no quantised layer")


def _program(request: BuildRequest, log: Log) -> tuple[ExportedProgram, Tensor]:
    graph = deploy_graph(request)
    example = graph.example(request.batch)
    if request.precision != "int8" or request.calibration is None:
        return graph.exported(request.batch), example
    log(f"quantising on {len(request.calibration.images_bgr)} pictures")
    return exported_quantised(quantised(graph, request.calibration), request.batch), example


def _notes(toolchain: Toolchain, built: BuiltPlan) -> dict[str, Any]:
    network = built.network
    return {
        "torch_tensorrt": str(toolchain.torch_tensorrt.__version__),
        "inputs": [str(tensor) for tensor in network.inputs],
        "outputs": [str(tensor) for tensor in network.outputs],
        "layers": dict(network.layers),
        "convolutions": dict(network.convolutions),
        "torch_operations": [],
    }


def _seed_timing_cache(folder: Path, versions: Mapping[str, str], machine: Machine) -> None:
    """Copy the newest timing cache of this TensorRT and GPU beside the engine that is built."""
    alike = [
        each.path / TIMING_CACHE
        for each in list_engines(folder.parent)
        if isinstance(each, EngineFolder)
        and each.manifest.spec.versions == versions
        and each.manifest.spec.machine == machine
        and (each.path / TIMING_CACHE).is_file()
    ]
    if alike:
        newest = max(alike, key=lambda path: path.stat().st_mtime_ns)
        shutil.copyfile(newest, folder / TIMING_CACHE)


@dataclasses.dataclass(frozen=True, slots=True)
class _Detail:
    """Appends what TensorRT says to a file of its own: hundreds of lines that few people read."""

    path: Path

    def __call__(self, line: str) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


BUILDERS.add("tensorrt", TensorRTBuilder())
