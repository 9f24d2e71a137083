"""OpenVINO: the deploy graph as OpenVINO's own files, for CPUs and Intel's GPUs.

The files are of no machine; OpenVINO compiles them for the one at hand when they are loaded. Every
engine has a runtime of its own, and every calling thread an inference request.
"""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from rtseg.backends.backend import BACKENDS, Backend
from rtseg.backends.base import Engine, EngineInfo, Parallelism, Precision
from rtseg.backends.engine_folder import EngineFolder
from rtseg.backends.manifest import EngineSpec
from rtseg.errors import BackendUnavailableError, EngineError, MissingExtraError

MODEL = "model.xml"
WEIGHTS = "model.bin"
DEVICE_ARGUMENT = "openvino_device"
"""The build argument that names OpenVINO's device, CPU or GPU."""

_CAPABILITIES = {"fp32": "FP32", "bf16": "BF16", "fp16": "FP16", "int8": "INT8"}
_HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}


_FIRST_CALL = threading.Lock()


class OpenVINOBackend(Backend):
    """Runs OpenVINO's intermediate representation."""

    name: ClassVar[str] = "openvino"
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32", "bf16", "fp16", "int8")
    devices: ClassVar[tuple[str, ...]] = ("cpu",)

    def require(self, device: torch.device) -> None:
        """Return if OpenVINO is installed; CUDA devices are not for it."""
        if importlib.util.find_spec("openvino") is None:
            raise MissingExtraError("openvino", "openvino", "the backend openvino")
        if device.type != "cpu":
            raise BackendUnavailableError(
                f"openvino: it runs on CPUs and Intel GPUs, not on {device.type}; --device cpu"
            )

    def versions(self) -> dict[str, str]:
        """Return OpenVINO's version."""
        return {"openvino": openvino_version()}

    def mismatches(self, spec: EngineSpec, device: torch.device) -> list[str]:
        """Return why an engine can't run here: its OpenVINO is newer, or its precision is missing.

        Files of an older OpenVINO can be read, and files are of no processor.
        """
        built, here = spec.versions.get("openvino", ""), openvino_version()
        if _numbers(built) > _numbers(here):
            return [f"built with openvino {built}, here is {here}"]
        if spec.machine.device != device.type:
            return [f"built for {spec.machine.device}, here is {device.type}"]
        target = str(spec.arguments.get(DEVICE_ARGUMENT, "CPU"))
        try:
            require_precision(spec.precision, target)
        except BackendUnavailableError as error:
            return [f"built for {spec.precision} on {spec.machine}, here: {error}"]
        return []

    def load(
        self, folder: EngineFolder, device: torch.device, parallelism: Parallelism, reason: str = ""
    ) -> Engine:
        """Read the files and compile them for this machine, which takes up to a second."""
        openvino = _imported()
        model_path, weights_path = folder.file(MODEL), folder.file(WEIGHTS)
        spec = folder.manifest.spec
        target = str(spec.arguments.get(DEVICE_ARGUMENT, "CPU"))
        settings = runtime_settings(spec.precision, target, parallelism)
        try:
            core = openvino.Core()
            model = core.read_model(model_path, weights_path)
            compiled = core.compile_model(model, target, settings)
        except RuntimeError as error:
            raise EngineError(f"OpenVINO can't load {folder.path}: {_first_line(error)}") from error
        label = "cpu" if target == "CPU" else f"openvino {target}"
        engine = OpenVINOEngine(compiled, folder.manifest.info(label, reason))
        engine.make_first_call()
        return engine


class OpenVINOEngine(Engine):
    """Runs a compiled model.

    Args:
        compiled: OpenVINO's ``CompiledModel``, uint8 [N, H, W, 3] in, one output.
        info: what the engine is.
    """

    def __init__(self, compiled: Any, info: EngineInfo) -> None:
        self.info = info
        self._compiled: Any = compiled
        self._requests = threading.local()

    def make_first_call(self) -> None:
        """Run once, alone, before several threads call.

        OpenVINO's binding sets up tables in its first call. Two first calls at once can wait for
        each other for ever: one holds Python's lock, the other the table's.
        """
        with _FIRST_CALL:
            self.infer(np.zeros((self.info.batch, *self.info.input_hw, 3), np.uint8))
        self._requests = threading.local()

    def infer(self, images_bgr: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """Segment pictures; waits for the result."""
        compiled = self._compiled
        if compiled is None:
            raise EngineError(f"{self.info} is closed")
        images_bgr = self.info.check(images_bgr)
        try:
            request = self._request(compiled)
            # The input is read in place; the output belongs to the request, so it is copied.
            results = request.infer([images_bgr], share_inputs=True, share_outputs=False)
        except RuntimeError as error:
            raise EngineError(f"{self.info} failed: {_first_line(error)}") from error
        output: npt.NDArray[Any] = results[0]
        return output.view(np.uint8) if self.info.output == "labels" else output

    def close(self) -> None:
        """Let go of the model, its streams and every request."""
        self._compiled = None
        self._requests = threading.local()

    def _request(self, compiled: Any) -> Any:
        request = getattr(self._requests, "request", None)
        if request is None:
            request = self._requests.request = compiled.create_infer_request()
        return request


def runtime_settings(precision: str, target: str, parallelism: Parallelism) -> dict[str, Any]:
    """Return what OpenVINO is told about precision and cores.

    int8 networks keep a few operations in floating point: those take bf16 where the CPU has it.
    """
    workers = max(1, parallelism.workers)
    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY" if workers == 1 else "THROUGHPUT"}
    settings["NUM_STREAMS"] = workers
    if precision != "int8":
        settings["INFERENCE_PRECISION_HINT"] = _HINTS[precision]
    if target == "CPU":
        if parallelism.threads:
            settings["INFERENCE_NUM_THREADS"] = workers * parallelism.threads
        # Two engines, or an engine and a decoder, would all be pinned to the same first cores.
        settings["ENABLE_CPU_PINNING"] = False
    return settings


def require_precision(precision: str, target: str) -> None:
    """Return if OpenVINO's device computes in the precision, instead of quietly taking another.

    Raises:
        BackendUnavailableError: it doesn't, or there is no such device.
    """
    openvino = _imported()
    core = openvino.Core()
    if target not in {name.partition(".")[0] for name in core.available_devices}:
        raise BackendUnavailableError(
            f"openvino: there is no device {target} here; found {', '.join(core.available_devices)}"
        )
    offered = core.get_property(target, "OPTIMIZATION_CAPABILITIES")
    if _CAPABILITIES[precision] not in offered:
        names = [name for name, capability in _CAPABILITIES.items() if capability in offered]
        title = core.get_property(target, "FULL_DEVICE_NAME")
        raise BackendUnavailableError(
            f"openvino: {title} doesn't compute in {precision}; it has {', '.join(names)}"
        )


def openvino_version() -> str:
    """Return the installed version, such as ``2026.4.1``.

    Raises:
        MissingExtraError: OpenVINO is not installed.
    """
    try:
        openvino = _imported()
    except ImportError as error:
        raise MissingExtraError("openvino", "openvino", "the backend openvino") from error
    return str(openvino.__version__).partition("-")[0]


def _imported() -> Any:
    """Return the package OpenVINO."""
    with no_telemetry():
        import openvino
    return openvino


@contextmanager
def no_telemetry() -> Iterator[None]:
    """Keep OpenVINO's and NNCF's tools from reporting home; they don't where this is set.

    Importing OpenVINO reports already, and leaves a number of this user in ``~/intel``.
    """
    before = os.environ.get("CI")
    os.environ["CI"] = "true"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("CI", None)
        else:
            os.environ["CI"] = before


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


BACKENDS.add("openvino", OpenVINOBackend())
