"""The reference backend: torch runs the deploy graph as it stands, on any machine."""

from __future__ import annotations

import json
import warnings
import zipfile
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import nn

from rtseg.backends.backend import BACKENDS, Backend
from rtseg.backends.base import Engine, EngineInfo, Parallelism, Precision
from rtseg.backends.engine_folder import EngineFolder
from rtseg.backends.machine import device_label
from rtseg.backends.torch_engine import TorchEngine
from rtseg.device import computes_in_bf16
from rtseg.errors import ConfigError, EngineError

EagerPrecision = Literal["fp32", "bf16", "fp16"]
EAGER_PRECISIONS: tuple[EagerPrecision, ...] = ("fp32", "bf16", "fp16")
PROGRAM = "program.pt2"
LARGEST_INDEX_BYTES = 1 << 24


class EagerEngine(TorchEngine):
    """Runs the module that its caller hands it.

    Args:
        module: uint8 BGR [N, H, W, 3] to labels int8 [N, H, W] or scores float32 [N, K, H, W],
            on `device`, in evaluation mode.
        info: what the engine is.
        device: where the module is.
        parallelism: how many threads call `infer`, and on how many cores each.
    """

    def __init__(
        self, module: nn.Module, info: EngineInfo, device: torch.device, parallelism: Parallelism
    ) -> None:
        super().__init__(module, info, device, parallelism)


class EagerBackend(Backend):
    """Runs the exported graph of an engine folder operation by operation."""

    name: ClassVar[str] = "eager"
    precisions: ClassVar[tuple[Precision, ...]] = EAGER_PRECISIONS
    bound_to_gpu: ClassVar[bool] = False

    def require(self, device: torch.device) -> None:
        """Return always: torch is there."""

    def versions(self) -> dict[str, str]:
        """Return torch's version."""
        return {"torch": str(torch.__version__)}

    def load(
        self, folder: EngineFolder, device: torch.device, parallelism: Parallelism, reason: str = ""
    ) -> Engine:
        """Open the program of a folder.

        Raises:
            EngineError: it holds pickles, which nothing that rtseg writes does, or can't be read.
        """
        path = folder.file(PROGRAM)
        refuse_pickles(path)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                module = torch.export.load(path).module()
        except Exception as error:  # torch raises what it likes on a damaged program
            raise EngineError(f"torch {torch.__version__} can't open {path}: {error}") from error
        info = folder.manifest.info(device_label(device), reason)
        return EagerEngine(module.to(device), info, device, parallelism)


def refuse_pickles(program: Path) -> None:
    """Check that a ``.pt2`` program can be opened without unpickling anything.

    Raises:
        EngineError: it is no such archive, or holds pickled tensors, objects or sample inputs.
    """
    try:
        with zipfile.ZipFile(program) as archive:
            pickled = [item.filename for item in archive.infolist() if _holds_pickle(archive, item)]
    except (zipfile.BadZipFile, OSError, ValueError, RecursionError) as error:
        raise EngineError(f"{program} can't be read as an exported program: {error}") from None
    if pickled:
        raise EngineError(
            f"{program} holds pickled objects ({pickled[0]!a}), which may run anything when "
            "they are read; rtseg writes none, so it is not opened"
        )


def _holds_pickle(archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> bool:
    path = item.filename
    if "sample_inputs" in path or "custom_obj" in path:
        return item.file_size > 0
    if path.endswith("_config.json"):
        if item.file_size > LARGEST_INDEX_BYTES:
            raise ValueError(f"{path!a} is too large")
        return _names_pickle(json.loads(archive.read(item)))
    return path.endswith((".pkl", ".pickle"))


def _names_pickle(values: object) -> bool:
    if isinstance(values, dict):
        return bool(values.get("use_pickle")) or any(map(_names_pickle, values.values()))
    return isinstance(values, list) and any(map(_names_pickle, values))


def eager_precision(name: str, device: torch.device) -> EagerPrecision:
    """Return the precision called `name`; "auto" takes what the device computes fastest.

    Raises:
        ConfigError: eager networks don't run in it.
    """
    if name == "auto":
        if device.type == "cuda":
            return "fp16"
        return "bf16" if computes_in_bf16(device) else "fp32"
    for known in EAGER_PRECISIONS:
        if name == known:
            return known
    raise ConfigError(
        f"unknown precision {name!r} for the backend 'eager'; "
        f"allowed: auto, {', '.join(EAGER_PRECISIONS)}"
    )


BACKENDS.add("eager", EagerBackend())
