"""One thread's place on a CUDA device: own stream, pinned buffers, own CUDA graph.

A slot owns its stream, its pinned host buffers and its device buffers, all made at the start; a
call allocates nothing on the device. The only wait is on the slot's own event, at the end of a
call, by the calling thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Run = Callable[[Tensor], tuple[Tensor, ...]]

WARM_UP_RUNS = 3
"""Before a capture: libraries choose their algorithms and take their workspaces on first runs."""


class CudaSlot:
    """Runs a graph of static shapes on pictures in host memory.

    Args:
        run: pictures on the device to the graph's outputs there; it must not wait for the device,
            or it can't be captured.
        input_shape: of the pictures, which are uint8.
        device: the CUDA device.
        capture: record `run` once as a CUDA graph and replay it, which spares the launches.
    """

    def __init__(
        self,
        run: Run,
        input_shape: tuple[int, ...],
        device: torch.device,
        *,
        capture: bool,
    ) -> None:
        self._run = run
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._host_input = torch.zeros(input_shape, dtype=torch.uint8, pin_memory=True)
        self._input = torch.zeros(input_shape, dtype=torch.uint8, device=device)
        self._graph: torch.cuda.CUDAGraph | None = None
        with torch.cuda.device(device), torch.inference_mode():
            self._stream.wait_stream(torch.cuda.current_stream(device))
            self._outputs = self._warm_up()
            if capture:
                self._graph = self._captured()
        self._host_outputs = [
            torch.empty(output.shape, dtype=output.dtype, pin_memory=True)
            for output in self._outputs
        ]

    def __call__(self, images_bgr: npt.NDArray[np.uint8]) -> list[npt.NDArray[Any]]:
        """Return the graph's outputs for `images_bgr`, the caller's own; waits for the slot."""
        np.copyto(self._host_input.numpy(), images_bgr)
        with (
            torch.cuda.device(self._device),
            torch.cuda.stream(self._stream),
            torch.inference_mode(),
        ):
            self._input.copy_(self._host_input, non_blocking=True)
            if self._graph is None:
                self._outputs = self._run(self._input)
            else:
                self._graph.replay()
            for host, output in zip(self._host_outputs, self._outputs, strict=True):
                host.copy_(output, non_blocking=True)
            self._done.record(self._stream)
        self._done.synchronize()
        return [host.numpy().copy() for host in self._host_outputs]

    def _warm_up(self) -> tuple[Tensor, ...]:
        """Run a few times and wait for the device."""
        with torch.cuda.stream(self._stream):
            for _ in range(WARM_UP_RUNS):
                outputs = self._run(self._input)
        self._stream.synchronize()
        return outputs

    def _captured(self) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        # Other threads may go on using the device while this one records.
        with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
            self._outputs = self._run(self._input)
        return graph
