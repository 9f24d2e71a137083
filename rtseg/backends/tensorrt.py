"""TensorRT and TensorRT-RTX plans, run by the TensorRT runtime alone.

Streams and buffers: every thread that calls the engine has an execution context, an output buffer
and a slot (`rtseg.backends._cuda_slot`) of its own. The slot owns the stream, the pinned host
buffers and the input on the device, records the plan once as a CUDA graph, and waits on its own
event at the end of a call. Nothing is allocated per frame and nothing else is waited for.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import threading
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from rtseg.backends._tensorrt_hybrid import HYBRID, load_hybrid
from rtseg.backends._tensorrt_kernels import KernelCache
from rtseg.backends.backend import BACKENDS, Backend
from rtseg.backends.base import Engine, Parallelism, Precision
from rtseg.backends.engine_folder import EngineFolder
from rtseg.backends.machine import device_label, this_machine
from rtseg.backends.manifest import EngineSpec
from rtseg.backends.torch_engine import TorchEngine
from rtseg.errors import BackendUnavailableError, EngineError, MissingExtraError

log = logging.getLogger(__name__)

PLAN = "engine.plan"
RUNTIMES = ("tensorrt", "tensorrt_rtx")
"""Packages that run plans; each runs its own alone."""
INPUT_DTYPES = {"UINT8": torch.uint8}
OUTPUT_DTYPES = {"INT8": torch.int8, "UINT8": torch.uint8, "FLOAT": torch.float32}
PORTABLE_FROM = (8, 0)
"""Compute capability from which on hardware-compatible plans run (Ampere)."""


class TensorRTBackend(Backend):
    """Runs plans of TensorRT or TensorRT-RTX, whichever built them."""

    name: ClassVar[str] = "tensorrt"
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32", "fp16", "bf16", "int8")
    devices: ClassVar[tuple[str, ...]] = ("cuda",)

    def require(self, device: torch.device) -> None:
        """Return if there is a CUDA device and a TensorRT runtime."""
        if device.type != "cuda":
            raise BackendUnavailableError(
                f"TensorRT runs on NVIDIA GPUs, and the device is {device.type}"
            )
        self.versions()

    def versions(self) -> dict[str, str]:
        """Return the versions of the installed runtimes; imports nothing."""
        found: dict[str, str] = {}
        for package in RUNTIMES:
            try:
                found[package] = importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                continue
        if not found:
            raise MissingExtraError("tensorrt", "tensorrt", "the backend 'tensorrt'")
        return found

    def load(
        self, folder: EngineFolder, device: torch.device, parallelism: Parallelism, reason: str = ""
    ) -> Engine:
        """Open the plan, or the program of a hybrid engine.

        Raises:
            EngineError: TensorRT refuses the file, or its input or output is not the manifest's.
        """
        manifest = folder.manifest
        info = manifest.info(device_label(device), reason)
        if any(file.name == HYBRID for file in manifest.files):
            return load_hybrid(folder.file(HYBRID), info, device, parallelism)
        with torch.cuda.device(device):
            torch.cuda.init()  # type: ignore[no-untyped-call]
            plan = Plan(
                package=runtime_of(manifest.spec),
                path=folder.file(PLAN),
                input_shape=(info.batch, *info.input_hw, 3),
                device=device,
            )
            return TensorRTEngine(plan, info, device, parallelism)

    def _wrong_versions(self, spec: EngineSpec) -> list[str]:
        wrong = super()._wrong_versions(spec)
        if wrong and spec.arguments.get("version_compatible") and _newer(spec, self.versions()):
            return []
        return wrong

    def _wrong_machine(self, spec: EngineSpec, device: torch.device) -> list[str]:
        here = this_machine(device).compute_capability
        anywhere = spec.arguments.get("hardware_compatible") or not spec.machine.compute_capability
        if here and anywhere:
            if _numbers(here)[:2] < PORTABLE_FROM:
                return [f"built for compute capability 8.0 and later, here is {here}"]
            spec = spec.model_copy(
                update={
                    "machine": spec.machine.model_copy(
                        update={"device": "cuda", "compute_capability": here}
                    )
                }
            )
        return super()._wrong_machine(spec, device)


class TensorRTEngine(TorchEngine):
    """Runs a plan.

    Args:
        plan: opened on `device`.
        info: what the engine is.
        device: a CUDA device.
        parallelism: how many threads call it; cores don't matter.
    """

    def __init__(
        self, plan: Plan, info: Any, device: torch.device, parallelism: Parallelism
    ) -> None:
        super().__init__(plan, info, device, parallelism, capture=plan.can_be_captured())
        self._plan: Plan | None = plan

    def close(self) -> None:
        """Let go of the plan and of every buffer."""
        super().close()
        if self._plan is not None:
            self._plan.kernels.save()
        self._plan = None


class Plan:
    """A plan that was opened; called with pictures on the device, it returns its output there.

    Args:
        package: the runtime, one of `RUNTIMES`.
        path: the plan's file.
        input_shape: N, H, W, 3.
        device: a CUDA device; the current one while this is made.

    Raises:
        BackendUnavailableError: the runtime can't be imported.
        EngineError: it refuses the plan, or input and output are not those of a deploy graph.
    """

    def __init__(
        self, package: str, path: Path, input_shape: tuple[int, ...], device: torch.device
    ) -> None:
        self._trt = import_runtime(package)
        self._device = device
        self._logger = recording_logger(self._trt)
        self._runtime = self._trt.Runtime(self._logger)
        self._engine = self._runtime.deserialize_cuda_engine(path.read_bytes())
        if self._engine is None:
            raise EngineError(f"{package} {self._trt.__version__} refuses {path}: {self._said()}")
        self._input, self._output, self._shape, self._dtype = self._bindings(input_shape, path)
        self.kernels = KernelCache(self._engine, path.with_name("kernels.cache"))
        self._places = threading.local()

    def __call__(self, images: Tensor) -> Tensor:
        """Run on the current stream; the output is the calling thread's and is written again."""
        context, output = self._place()
        context.set_tensor_address(self._input, images.data_ptr())
        context.set_tensor_address(self._output, output.data_ptr())
        stream = torch.cuda.current_stream(self._device).cuda_stream
        if not context.execute_async_v3(stream):
            raise EngineError(f"TensorRT could not run the plan: {self._said()}")
        return output

    def can_be_captured(self) -> bool:
        """Return whether a call can be recorded as a CUDA graph; waits for no one."""
        context, _ = self._place()
        ask = getattr(context, "is_stream_capturable", None)  # TensorRT-RTX alone has it
        stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        return ask is None or bool(ask(stream.cuda_stream))

    def _place(self) -> tuple[Any, Tensor]:
        """Return the calling thread's execution context and output buffer."""
        place: tuple[Any, Tensor] | None = getattr(self._places, "place", None)
        if place is None:
            context = self.kernels.execution_context()
            if context is None:
                raise EngineError(f"no execution context for the plan: {self._said()}")
            place = context, torch.empty(self._shape, dtype=self._dtype, device=self._device)
            self._places.place = place
        return place

    def _bindings(
        self, input_shape: tuple[int, ...], path: Path
    ) -> tuple[str, str, tuple[int, ...], torch.dtype]:
        """Return the input's name, and the output's name, shape and type."""
        engine, mode = self._engine, self._trt.TensorIOMode
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        inputs = [name for name in names if engine.get_tensor_mode(name) == mode.INPUT]
        outputs = [name for name in names if engine.get_tensor_mode(name) == mode.OUTPUT]
        described = [self._described(name) for name in (*inputs, *outputs)]
        if len(inputs) == len(outputs) == 1:
            (in_dtype, in_shape), (out_dtype, out_shape) = described
            if in_dtype in INPUT_DTYPES and out_dtype in OUTPUT_DTYPES and in_shape == input_shape:
                return inputs[0], outputs[0], out_shape, OUTPUT_DTYPES[out_dtype]
        raise EngineError(
            f"{path} takes and gives {described}; its manifest says UINT8 {list(input_shape)} in, "
            "and labels or scores out: export it again"
        )

    def _described(self, name: str) -> tuple[str, tuple[int, ...]]:
        dtype = self._engine.get_tensor_dtype(name).name
        return dtype, tuple(int(side) for side in self._engine.get_tensor_shape(name))

    def _said(self) -> str:
        return "; ".join(self._logger.errors[-2:]) or "it gave no reason"


def import_runtime(package: str) -> Any:
    """Import the TensorRT runtime.

    Raises:
        MissingExtraError: it is not installed.
        BackendUnavailableError: it is, but its libraries can't be loaded.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        extra = package.replace("_", "-")
        raise MissingExtraError(package, extra, "the backend 'tensorrt'") from error
    except Exception as error:  # a missing library is an OSError or something bare
        raise BackendUnavailableError(f"{package} can't be imported: {error}") from error


def recording_logger(trt: Any) -> Any:
    """Return a logger for TensorRT that hands on to Python's log and keeps the errors."""

    class RecordingLogger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.errors.append(" ".join(message.split()))
                log.debug("%s", message)  # the caller raises it
            elif severity == trt.ILogger.WARNING:
                log.info("%s", message)

    return RecordingLogger()


def runtime_of(spec: EngineSpec) -> str:
    """Return the package that runs an engine.

    Raises:
        EngineError: the manifest names none.
    """
    for package in RUNTIMES:
        if package in spec.versions:
            return package
    raise EngineError("the manifest names neither tensorrt nor tensorrt_rtx: export it again")


def _newer(spec: EngineSpec, here: dict[str, str]) -> bool:
    """Return whether every runtime here is of the same major version and not older."""
    built = {name: version for name, version in spec.versions.items() if name in RUNTIMES}
    return all(
        _numbers(here.get(name, "0"))[0] == _numbers(version)[0]
        and _numbers(here.get(name, "0")) >= _numbers(version)
        for name, version in built.items()
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


BACKENDS.add("tensorrt", TensorRTBackend())
