"""From an engine folder to an engine that runs."""

from __future__ import annotations

from pathlib import Path

import torch

from rtseg.backends.backend import BACKENDS
from rtseg.backends.base import Engine, Parallelism
from rtseg.backends.engine_folder import EngineFolder, open_engine_folder
from rtseg.device import pick_device
from rtseg.errors import EngineError


def load_engine(
    folder: EngineFolder | Path,
    device: str = "auto",
    parallelism: Parallelism | None = None,
    reason: str = "",
) -> Engine:
    """Open an engine folder, once its manifest fits this machine and its files the manifest.

    The engine files of inductor and of eager are programs: loading one runs it. Their hashes are
    checked, which finds damage but not a stranger's intent: load only what you trust to run.

    Args:
        folder: the folder, or its path.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``; auto takes what the engine was
            built for.
        parallelism: how many threads call the engine, and on how many cores each.
        reason: why this engine was chosen, for its `info`.

    Raises:
        EngineError: no engine folder, or it was built for something else, or it is damaged.
        BackendUnavailableError: the backend doesn't work on this machine.
        MissingExtraError: a package of the backend is not installed.
        ConfigError: an unknown device.
    """
    if isinstance(folder, Path):
        folder = open_engine_folder(folder)
    spec = folder.manifest.spec
    if spec.backend not in BACKENDS:
        raise EngineError(
            f"{folder.path} was built for the backend {spec.backend!r}, which this rtseg doesn't "
            f"have; known: {', '.join(sorted(BACKENDS))}"
        )
    backend = BACKENDS[spec.backend]
    target = built_for(folder) if device == "auto" else pick_device(device)
    backend.require(target)
    backend.check(folder, target)
    folder.check_files()
    return backend.load(folder, target, parallelism or Parallelism(), reason)


def built_for(folder: EngineFolder) -> torch.device:
    """Return the device of this machine that an engine was built for.

    Raises:
        EngineError: it was built for CUDA and there is none here.
    """
    spec = folder.manifest.spec
    if spec.machine.device == "cuda" and not torch.cuda.is_available():
        raise EngineError(
            f"the engine {folder.path.name} was built for cuda on {spec.machine}; torch "
            f"{torch.__version__} sees no CUDA device here. Build one for the processor with: "
            f"rtseg export {spec.model} --size {spec.input_hw[1]}x{spec.input_hw[0]}"
        )
    return pick_device(spec.machine.device)
