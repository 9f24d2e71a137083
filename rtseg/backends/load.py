"""From an engine folder to an engine that runs."""

from __future__ import annotations

from pathlib import Path

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
    target = pick_device(spec.machine.device if device == "auto" else device)
    backend.require(target)
    backend.check(folder, target)
    folder.check_files()
    return backend.load(folder, target, parallelism or Parallelism(), reason)
