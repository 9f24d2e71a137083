"""Engines that TensorRT and torch run together, where a graph doesn't convert whole."""

from __future__ import annotations

import importlib
import logging
import warnings
from pathlib import Path

import torch

from rtseg.backends.base import Engine, EngineInfo, Parallelism
from rtseg.backends.torch_engine import TorchEngine
from rtseg.errors import BackendUnavailableError, EngineError

log = logging.getLogger(__name__)

HYBRID = "engine.ep"


def load_hybrid(
    path: Path, info: EngineInfo, device: torch.device, parallelism: Parallelism
) -> Engine:
    """Open a program of torch that holds TensorRT engines; needs Torch-TensorRT, not the networks.

    Torch-TensorRT keeps a part of the program as a pickle, which can run anything when it is read:
    the log says so.

    Raises:
        BackendUnavailableError: Torch-TensorRT is missing or can't be loaded.
        EngineError: the program can't be read.
    """
    try:
        torch_tensorrt = importlib.import_module("torch_tensorrt")
    except Exception as error:  # a missing libnvinfer is a bare Exception
        raise BackendUnavailableError(
            f"{path} is an engine of TensorRT and torch together, which needs torch_tensorrt: "
            f"{error}"
        ) from error
    log.warning("%s is unpickled: open only engines that you trust like a program", path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = torch_tensorrt.load(str(path)).module()
    except Exception as error:
        raise EngineError(f"{path} can't be read: {error}; export it again") from error
    return TorchEngine(module.to(device), info, device, parallelism, capture=False)
