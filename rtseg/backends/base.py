"""What every compiled network owes a stream: pictures in, class maps out, and what it is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from rtseg.classes import ClassSet
from rtseg.closing import Closing
from rtseg.errors import EngineError

if TYPE_CHECKING:
    import torch

OutputKind = Literal["labels", "scores"]
Precision = Literal["fp32", "fp16", "bf16", "int8"]


@dataclass(frozen=True, slots=True)
class Parallelism:
    """How an engine shares the machine's cores.

    Args:
        workers: how many threads call `Engine.infer` at the same time.
        threads: how many cores one call uses; 0 leaves it to the runtime.
    """

    workers: int = 1
    threads: int = 0


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an opened engine is.

    Args:
        model: name of the weights, such as ``"linknet-camvid"``.
        backend: registered name of the backend, such as ``"eager"``.
        precision: ``"fp32"``, ``"fp16"``, ``"bf16"`` or ``"int8"``.
        device: where it runs, as a person would say it: ``"cpu"``, ``"cuda:0 (NVIDIA H100)"``.
        classes: what the labels mean.
        input_hw: height and width of its input in pixels.
        batch: pictures per call.
        output: ``"labels"`` or ``"scores"``.
        reason: why this engine was chosen, one line.
    """

    model: str
    backend: str
    precision: str
    device: str
    classes: ClassSet
    input_hw: tuple[int, int]
    batch: int = 1
    output: OutputKind = "labels"
    reason: str = ""

    def __str__(self) -> str:
        height, width = self.input_hw
        return f"{self.model} {width}x{height} {self.backend} {self.precision} on {self.device}"

    def check(self, images_bgr: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return the pictures, C-contiguous, once they are known to fit the engine.

        Raises:
            EngineError: they are of another shape or type.
        """
        wanted = (self.batch, *self.input_hw, 3)
        if not isinstance(images_bgr, np.ndarray):
            raise EngineError(
                f"{self} takes a numpy array of uint8 {list(wanted)}; "
                f"got a {type(images_bgr).__name__}"
            )
        if images_bgr.dtype != np.uint8 or images_bgr.shape != wanted:
            raise EngineError(
                f"{self} takes BGR pictures uint8 {list(wanted)}; "
                f"got {images_bgr.dtype} {list(images_bgr.shape)}"
            )
        return np.ascontiguousarray(images_bgr)


@dataclass(frozen=True, slots=True)
class DeviceGraph:
    """An engine's graph, for a caller whose pictures lie on the engine's device already.

    Args:
        run: uint8 BGR [N, H, W, 3] on `device` to labels int8 or uint8 [N, H, W], or scores; works
            on the caller's current stream and doesn't wait for it.
        device: where.
        capture: whether a call can be recorded as a CUDA graph.
    """

    run: Callable[[torch.Tensor], torch.Tensor]
    device: torch.device
    capture: bool


class Engine(Closing):
    """A compiled network, ready to run.

    `infer` may be called from as many threads at a time as the engine was opened for.
    """

    info: EngineInfo

    @abstractmethod
    def infer(self, images_bgr: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """Segment pictures; waits for the result.

        Args:
            images_bgr: uint8 [N, H, W, 3], BGR, C-contiguous, N and H x W as in `info`.

        Returns:
            Labels uint8 [N, H, W], or for ``output="scores"`` class probabilities float32
            [N, K, H, W]. The caller's own: a later call doesn't change it.

        Raises:
            EngineError: the pictures are of another shape or type, or the device failed.
        """

    def device_graph(self) -> DeviceGraph | None:
        """Return the graph for pictures on the device; None where only `infer` runs it."""
        return None

    def notice(self) -> str | None:
        """Return what people should know of it now, a few words; None: nothing."""
        return None

    def close(self) -> None:  # not every engine holds something
        """Release the device; an engine can be closed twice."""
