"""A place to run a graph of static shapes on pictures in host memory, on whichever device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rtseg.backends._cuda_slot import CudaSlot, Run

Slot = Callable[[npt.NDArray[np.uint8]], list[npt.NDArray[Any]]]
"""Takes pictures of one shape, uint8; returns the graph's outputs, the caller's own."""


def open_slot(
    run: Run, input_shape: tuple[int, ...], device: torch.device, *, capture: bool
) -> Slot:
    """Return a slot for one thread: on CUDA with a stream, buffers and a graph of its own.

    Args:
        run: pictures on the device to outputs there.
        input_shape: of the pictures.
        device: where `run` works.
        capture: on CUDA, record `run` and replay it.
    """
    if device.type == "cuda":
        return CudaSlot(run, input_shape, device, capture=capture)

    def on_host(images: npt.NDArray[np.uint8]) -> list[npt.NDArray[Any]]:
        writeable = images if images.flags.writeable else images.copy()  # torch warns of others
        with torch.inference_mode():
            return [output.numpy() for output in run(torch.from_numpy(writeable))]

    return on_host
