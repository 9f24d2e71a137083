"""From an exported program to one TensorRT plan, whole or not at all."""

from __future__ import annotations

import importlib
import inspect
import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.export import ExportedProgram

from rtseg.errors import EngineError, closest
from rtseg.export.tensorrt_toolchain import (
    TENSORRT_LOG,
    Toolchain,
    diverted_log,
    replaced,
    without_gpu,
)

Log = Callable[[str], None]
Arguments = Mapping[str, str | int | float | bool | None]

OWN_ARGUMENTS = frozenset(
    {
        "exported_program", "inputs", "arg_inputs", "kwarg_inputs", "device", "kwargs",
        "require_full_compilation", "enabled_precisions", "use_explicit_typing", "dryrun",
        "timing_cache_path", "engine_capability", "torch_executed_ops", "torch_executed_modules",
        "custom_engine_cache",
    }
)  # fmt: skip
"""Arguments of the conversion that are not a user's to give."""
LONGEST_REASON = 400


@dataclass(frozen=True, slots=True)
class PlanTensor:
    """One input or output of a plan: its name, TensorRT's name of its type, and its shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} {list(self.shape)}"


@dataclass(frozen=True, slots=True)
class NetworkSummary:
    """What was handed to TensorRT's builder.

    Args:
        inputs: of the network.
        outputs: of the network.
        layers: how many layers of each type, before TensorRT fuses them.
        convolutions: how many convolutions and deconvolutions put out each type.
    """

    inputs: tuple[PlanTensor, ...]
    outputs: tuple[PlanTensor, ...]
    layers: Mapping[str, int]
    convolutions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class BuiltPlan:
    """A plan as its runtime reads it, and the network that it was built from."""

    plan: bytes = field(repr=False)
    network: NetworkSummary


def known_arguments(toolchain: Toolchain) -> dict[str, Any]:
    """Return the build arguments of the installed version that users may give, with defaults."""
    parameters = inspect.signature(_converter(toolchain)).parameters
    return {
        name: parameter.default
        for name, parameter in parameters.items()
        if name not in OWN_ARGUMENTS
        and isinstance(parameter.default, (str, int, float, type(None)))
    }


def checked_arguments(toolchain: Toolchain, arguments: Arguments) -> dict[str, Any]:
    """Return `arguments`, once the installed Torch-TensorRT is known to understand each.

    Newer versions swallow what they don't know, `enabled_precisions` among it, and build another
    engine than was asked for.

    Raises:
        EngineError: names the argument that is unknown and the closest one that is not.
    """
    known = known_arguments(toolchain)
    for name in arguments:
        if name not in known:
            version = toolchain.torch_tensorrt.__version__
            raise EngineError(
                f"torch-tensorrt {version} knows no build argument {name!r}."
                f"{closest(name, known)} Known: {', '.join(sorted(known))}"
            )
    return dict(arguments)


def build_plan(
    toolchain: Toolchain,
    program: ExportedProgram,
    example: Tensor,
    arguments: Arguments,
    log: Log,
    timing_cache: str = "",
) -> BuiltPlan:
    """Build the plan of a whole program; takes seconds to minutes.

    Args:
        toolchain: from `open_toolchain`.
        program: of static shapes, on the GPU where there is one.
        example: an input of it.
        arguments: of `known_arguments`; the rest keeps its defaults.
        log: is told, line by line, what Torch-TensorRT and TensorRT say.
        timing_cache: file of measured tactics, read and written; TensorRT-RTX has none.

    Raises:
        EngineError: an argument is unknown, an operation has no converter, or TensorRT refuses.
    """
    chosen = checked_arguments(toolchain, arguments) | _own(toolchain, example, timing_cache)
    summaries: list[NetworkSummary] = []
    with conversation(toolchain, log) as errors, _recorded(toolchain, summaries):
        try:
            plan: bytes = _converter(toolchain)(program, arg_inputs=[example], **chosen)
        except Exception as error:  # of whatever type the converter, torch or TensorRT raises
            raise EngineError(
                f"{toolchain.title} can't build this graph: {_reason(error, errors)}"
            ) from error
    if not summaries:
        raise EngineError(f"{toolchain.title} built a plan without a network; look at build.log")
    return BuiltPlan(plan, summaries[-1])


@contextmanager
def conversation(toolchain: Toolchain, log: Log) -> Iterator[list[str]]:
    """Send what the toolchain says to `log` while the block runs; gives the errors among it."""
    handler = _Lines(log)
    with ExitStack() as stack:
        if not toolchain.has_gpu:
            stack.enter_context(without_gpu())
        stack.enter_context(diverted_log(handler))
        stack.enter_context(redirect_stdout(_Writer(log)))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        yield handler.errors


def _converter(toolchain: Toolchain) -> Any:
    return toolchain.torch_tensorrt.dynamo.convert_exported_program_to_serialized_trt_engine


def _own(toolchain: Toolchain, example: Tensor, timing_cache: str) -> dict[str, Any]:
    """Return the arguments that are ours, as far as the installed version has them."""
    gpu = example.device.index if example.device.type == "cuda" else 0
    own = {
        "device": toolchain.torch_tensorrt.Device(gpu_id=gpu or 0),
        "require_full_compilation": True,
    }
    parameters = inspect.signature(_converter(toolchain)).parameters
    if timing_cache and "timing_cache_path" in parameters:
        own["timing_cache_path"] = timing_cache
    explicit = parameters.get("use_explicit_typing")
    if explicit is not None and not explicit.default:
        own["use_explicit_typing"] = True  # up to 2.9: the number formats are the graph's
    return own


@contextmanager
def _recorded(toolchain: Toolchain, summaries: list[NetworkSummary]) -> Iterator[None]:
    """Note what each network that is built in the block consists of.

    Without a GPU the plan can't be opened either, which the interpreter does only to write it out
    again: it is handed on as it is.
    """
    module = importlib.import_module("torch_tensorrt.dynamo.conversion._TRTInterpreter")
    with ExitStack() as stack:
        builder = _recording_builder(toolchain.tensorrt, summaries)
        stack.enter_context(replaced(module.trt, "Builder", builder))
        if not toolchain.has_gpu:
            stack.enter_context(replaced(module.trt, "Runtime", _ClosedRuntime))
        yield


def _recording_builder(bindings: Any, summaries: list[NetworkSummary]) -> Any:
    class RecordingBuilder(bindings.Builder):  # type: ignore[misc]
        def build_serialized_network(self, network: Any, config: Any) -> Any:
            summaries.append(summary(network))
            return super().build_serialized_network(network, config)

        def build_engine_with_config(self, network: Any, config: Any) -> Any:
            summaries.append(summary(network))
            return super().build_engine_with_config(network, config)

        def __del__(self) -> None:
            """Do nothing: the bindings' own would warn of having been called."""

    return RecordingBuilder


def summary(network: Any) -> NetworkSummary:
    """Return what TensorRT's network definition consists of."""
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    convolving = ("CONVOLUTION", "DECONVOLUTION")
    return NetworkSummary(
        inputs=tuple(_tensor(network.get_input(i)) for i in range(network.num_inputs)),
        outputs=tuple(_tensor(network.get_output(i)) for i in range(network.num_outputs)),
        layers=dict(Counter(layer.type.name for layer in layers)),
        convolutions=dict(
            Counter(
                layer.get_output(0).dtype.name for layer in layers if layer.type.name in convolving
            )
        ),
    )


def _tensor(tensor: Any) -> PlanTensor:
    return PlanTensor(tensor.name, tensor.dtype.name, tuple(int(side) for side in tensor.shape))


class _ClosedRuntime:
    """Stands for TensorRT's runtime where no GPU is there to open a plan."""

    def __init__(self, logger: Any) -> None:
        self._plan: Any = None

    def deserialize_cuda_engine(self, plan: Any) -> _ClosedRuntime:
        """Keep the plan."""
        self._plan = plan
        return self

    def serialize(self) -> Any:
        """Return the plan."""
        return self._plan


class _Lines(logging.Handler):
    """Hands messages on line by line, and keeps the errors."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Hand on one message."""
        text = record.getMessage()
        for line in text.splitlines():
            self._log(f"{record.levelname} {line}")
        if record.name == TENSORRT_LOG and record.levelno >= logging.ERROR and text.strip():
            self.errors.append(" ".join(text.split()))


class _Writer:
    """A stream whose lines go to the log."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def write(self, text: str) -> int:
        """Hand on what was printed."""
        for line in text.splitlines():
            if line.strip():
                self._log(line)
        return len(text)

    def flush(self) -> None:
        """Do nothing: nothing is kept back."""


def _reason(error: Exception, errors: list[str]) -> str:
    """Return the cause in one line: TensorRT's own first error, else the first exception's."""
    if errors:
        return errors[0][:LONGEST_REASON]
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return (" ".join(str(cause).split()) or type(cause).__name__)[:LONGEST_REASON]
