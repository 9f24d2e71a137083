"""What TensorRT-RTX compiles when a plan is opened, kept for the next time.

A plan of TensorRT-RTX holds no finished kernels: they are compiled for the GPU at hand, which takes
seconds. Standard TensorRT has nothing to keep, and all of this does nothing there.
"""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


class KernelCache:
    """Makes the execution contexts of a plan, with the kernels of earlier runs.

    Args:
        engine: TensorRT's `ICudaEngine`.
        path: where the kernels are kept; a file that is missing or doesn't fit is passed over.
    """

    def __init__(self, engine: Any, path: Path) -> None:
        self._engine = engine
        self._path = path
        self._config: Any = None
        self._cache: Any = None
        self._before = b""
        configured = getattr(engine, "create_runtime_config", None)  # from TensorRT 10.8 on
        config: Any = configured() if configured else None
        if hasattr(config, "create_runtime_cache"):  # TensorRT-RTX alone has it
            self._config = config
            self._cache = config.create_runtime_cache()
            with contextlib.suppress(OSError):
                self._before = path.read_bytes()
            if self._before and not self._cache.deserialize(self._before):
                log.info("%s doesn't fit this GPU or driver; it is made anew", path)
            config.set_runtime_cache(self._cache)

    def execution_context(self) -> Any:
        """Return a new execution context, or None where TensorRT makes none."""
        if self._config is None:
            return self._engine.create_execution_context()
        return self._engine.create_execution_context(self._config)

    def save(self) -> None:
        """Write the kernels beside the plan, whole or not at all; where that fails, do without."""
        if self._cache is None:
            return
        kernels = bytes(self._cache.serialize())
        if not kernels or kernels == self._before:
            return
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            beside.write_bytes(kernels)
            beside.replace(self._path)
        except OSError as error:
            log.debug("the kernels of %s are not kept: %s", self._path.parent, error)
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
