"""Int8 for TensorRT: NVIDIA's Model Optimizer puts quantisers into the network and measures ranges.

TensorRT takes explicit quantisers: what the graph says is int8, nothing else. Weights are quantised
by channel, maps as a whole, both symmetric. In between the network is fp16.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from rtseg.errors import ConfigError, EngineError, MissingExtraError
from rtseg.export.calibrate import CalibrationPictures
from rtseg.export.deploy_graph import DeployGraph
from rtseg.export.tensorrt_toolchain import replaced

PURPOSE = "int8 engines of TensorRT"


def require_quantiser() -> None:
    """Return if NVIDIA's Model Optimizer is installed; imports nothing.

    Raises:
        MissingExtraError: it is not.
    """
    if importlib.util.find_spec("modelopt") is None:
        raise MissingExtraError("modelopt", "tensorrt-int8", PURPOSE)


def quantised(graph: DeployGraph, pictures: CalibrationPictures) -> DeployGraph:
    """Return the graph with quantisers in its network, their ranges measured, the rest fp16.

    Args:
        graph: in fp32; changed in place.
        pictures: at the graph's input size.

    Raises:
        ConfigError: the pictures are of another size.
        EngineError: the quantiser can't be loaded.
        MissingExtraError: it is not installed.
    """
    if pictures.hw != graph.input_hw:
        raise ConfigError(
            f"the calibration pictures are {pictures.hw[1]}x{pictures.hw[0]}, "
            f"the engine's input is {graph.input_hw[1]}x{graph.input_hw[0]}"
        )

    def run_over_pictures(network: Any) -> None:
        with torch.no_grad():
            for image in pictures.images_bgr:
                batch = torch.from_numpy(image[None].copy()).to(graph.scale.device)
                network(graph.normalised(batch))

    quantisation = _modelopt("modelopt.torch.quantization")
    with _quiet():
        graph.network = quantisation.quantize(
            graph.network, quantisation.INT8_DEFAULT_CFG, forward_loop=run_over_pictures
        )
    graph.network.half()
    graph.dtype = torch.float16
    return graph


def exported_quantised(graph: DeployGraph, batch: int = 1) -> ExportedProgram:
    """Return a graph of `quantised` as a program in which each quantiser is one operation.

    Both this and the conversion of the program belong into a block of `traceable_quantisers`.
    """
    utils = _modelopt("modelopt.torch.quantization.utils")
    with _quiet(), utils.export_torch_mode():
        return graph.exported(batch)


@contextmanager
def traceable_quantisers() -> Iterator[None]:
    """Make do without the CUDA kernels of Model Optimizer's quantisers while the block runs.

    It compiles them with nvcc at first use. Where there is no nvcc or no GPU, it computes in
    Python instead, with branches on values that can't be traced, and its operation can't be
    evaluated. Here the operation is traced, and evaluated in Python.
    """
    module = _modelopt("modelopt.torch.quantization.tensor_quant")
    in_python = module._tensor_quant

    def traced(inputs: Tensor, amax: Tensor, bits: int, unsigned: bool, narrow: bool) -> Tensor:
        values: Tensor = module.quantize_op(inputs, amax, bits, 0, unsigned, narrow)
        return values

    def evaluated(
        inputs: Tensor,
        amax: Tensor,
        num_bits: int = 8,
        unsigned: bool = False,
        narrow_range: bool = True,
    ) -> Tensor:
        values: Tensor = in_python(inputs, amax, num_bits, unsigned, narrow_range)
        return values

    with ExitStack() as stack:
        stack.enter_context(replaced(module, "_tensor_quant", traced))
        with _quiet():
            compiled = module.get_cuda_ext()
        if compiled is None:
            stack.enter_context(replaced(module, "fake_quant_impl", evaluated))
        yield


def _modelopt(name: str) -> Any:
    require_quantiser()
    try:
        with _quiet():
            return importlib.import_module(name)
    except Exception as error:
        raise EngineError(f"nvidia-modelopt can't be imported: {error}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
