"""Engines that torch runs: a module or a compiled callable, on the CPU or a CUDA device."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rtseg.backends._cuda_slot import CudaSlot
from rtseg.backends._threads import torch_threads
from rtseg.backends.base import DeviceGraph, Engine, EngineInfo, Parallelism
from rtseg.errors import EngineError

Run = Callable[[Tensor], Tensor]


class TorchEngine(Engine):
    """Runs a deploy graph that takes and returns torch tensors.

    Args:
        run: uint8 BGR [N, H, W, 3] on `device` to labels int8 [N, H, W] or scores float32.
        info: what the engine is.
        device: where `run` works.
        parallelism: cores per call; on a CUDA device every calling thread gets a slot of its own.
        capture: on a CUDA device, replay `run` as a CUDA graph.
    """

    def __init__(
        self,
        run: Run,
        info: EngineInfo,
        device: torch.device,
        parallelism: Parallelism,
        *,
        capture: bool = True,
    ) -> None:
        self.info = info
        self._run: Run | None = run
        self._device = device
        self._threads = parallelism.threads
        self._capture = capture
        self._slots = threading.local()
        self._starting = threading.Lock()

    def infer(self, images_bgr: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """Segment pictures; waits for the result."""
        run = self._run
        if run is None:
            raise EngineError(f"{self.info} is closed")
        images_bgr = self.info.check(images_bgr)
        try:
            output = (
                self._on_cuda(run, images_bgr) if self._on_gpu else self._on_cpu(run, images_bgr)
            )
        except RuntimeError as error:
            raise EngineError(f"{self.info} failed: {_first_line(error)}") from error
        return output.view(np.uint8) if self.info.output == "labels" else output

    def device_graph(self) -> DeviceGraph | None:
        """Return what `infer` runs; what holds it keeps it alive when the engine is closed."""
        if self._run is None:
            return None
        return DeviceGraph(self._run, self._device, self._capture)

    def close(self) -> None:
        """Let go of the graph and of every buffer."""
        self._run = None
        self._slots = threading.local()

    @property
    def _on_gpu(self) -> bool:
        return self._device.type == "cuda"

    def _on_cpu(self, run: Run, images_bgr: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        if not images_bgr.flags.writeable:  # torch warns of it, though nothing is written
            images_bgr = images_bgr.copy()
        with torch_threads(self._threads), torch.inference_mode():
            output: npt.NDArray[Any] = run(torch.from_numpy(images_bgr)).contiguous().numpy()
        return output

    def _on_cuda(self, run: Run, images_bgr: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        slot: CudaSlot | None = getattr(self._slots, "slot", None)
        if slot is None:
            with self._starting:  # one capture at a time
                shape = images_bgr.shape
                slot = CudaSlot(
                    lambda images: (run(images),), shape, self._device, capture=self._capture
                )
            self._slots.slot = slot
        return slot(images_bgr)[0]


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
