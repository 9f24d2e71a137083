"""A graph that doesn't convert whole: TensorRT runs what it can, torch the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import GraphModule

from rtseg.errors import EngineError
from rtseg.export.tensorrt_plan import Arguments, Log, checked_arguments, conversation
from rtseg.export.tensorrt_toolchain import Toolchain

IN_TENSORRT = "_run_on_acc"
"""How Torch-TensorRT names the parts that become TensorRT engines."""


def torch_operations(
    toolchain: Toolchain, program: ExportedProgram, example: Tensor, log: Log
) -> tuple[str, ...]:
    """Return the operations of a graph that would stay in torch, sorted; none if it converts whole.

    Builds nothing.
    """
    return stayed_in_torch(_compiled(toolchain, program, example, {"dryrun": True}, log))


def build_hybrid(
    toolchain: Toolchain,
    program: ExportedProgram,
    example: Tensor,
    arguments: Arguments,
    path: Path,
    log: Log,
) -> tuple[str, ...]:
    """Write the graph as an exported program that holds TensorRT engines; needs a GPU.

    Returns:
        The operations that stayed in torch.

    Raises:
        EngineError: there is no GPU, an argument is unknown, or the build fails.
    """
    if not toolchain.has_gpu:
        raise EngineError(
            "a part of this graph stays in torch, and an engine of both is built on the GPU that "
            "it is for"
        )
    chosen = checked_arguments(toolchain, arguments)
    try:
        module = _compiled(toolchain, program, example, chosen, log)
        toolchain.torch_tensorrt.save(module, str(path), arg_inputs=[example])
    except Exception as error:  # of whatever type the compiler, torch or TensorRT raises
        raise EngineError(
            f"{toolchain.title} can't build this graph, not in parts either: "
            f"{' '.join(str(error).split())[:400]}"
        ) from error
    return stayed_in_torch(module)


def stayed_in_torch(module: GraphModule) -> tuple[str, ...]:
    """Return the operations of a partitioned graph that TensorRT doesn't run, sorted."""
    parts = dict(module.named_children())
    graphs: list[Any] = [module.graph, *(p.graph for n, p in parts.items() if _in_torch(n, p))]
    return tuple(
        sorted(
            {
                str(node.target)
                for graph in graphs
                for node in graph.nodes
                if node.op == "call_function" and "getitem" not in str(node.target)
            }
        )
    )


def _in_torch(name: str, part: Any) -> bool:
    return isinstance(part, GraphModule) and IN_TENSORRT not in name


def _compiled(
    toolchain: Toolchain,
    program: ExportedProgram,
    example: Tensor,
    arguments: dict[str, Any],
    log: Log,
) -> GraphModule:
    with conversation(toolchain, log):
        module: GraphModule = toolchain.torch_tensorrt.dynamo.compile(
            program,
            arg_inputs=[example],
            device=_device(toolchain, example),
            min_block_size=1,
            **arguments,
        )
    return module


def _device(toolchain: Toolchain, example: Tensor) -> Any:
    """Return the GPU of `example`; without one, a device that only the partitioner can use."""
    if toolchain.has_gpu:
        return toolchain.torch_tensorrt.Device(gpu_id=example.device.index or 0)

    class Absent(toolchain.torch_tensorrt.Device):  # type: ignore[misc, name-defined]
        def to(self, kind: type) -> torch.device:
            return torch.device("cpu")

    return Absent(gpu_id=0)
