"""The stage of the device path: one frame up, its class map and picture down."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from rtseg.backends.base import DeviceGraph, Engine
from rtseg.backends.slot import Slot, open_slot
from rtseg.errors import EngineError
from rtseg.fit import choose_fit
from rtseg.frames import ClassMap, Frame
from rtseg.stream.device_path.device_colouring import DeviceColouring
from rtseg.stream.device_path.device_fit import DeviceFit
from rtseg.stream.overlay.colouring import Colouring
from rtseg.stream.overlay.painted import Painted
from rtseg.stream.overlay.style import OverlayStyle
from rtseg.stream.settings import StreamConfig
from rtseg.stream.stage import Stage

PAINTING = ("mode", "alpha", "palette", "classes", "hide", "outlines")
"""The keys of a style that the device paints by; the others are drawn on the finished picture."""


class DevicePath(Stage):
    """Fits, segments and paints on the engine's device.

    The graph is made anew when the frame's size, the style or the engine changes, which takes a
    moment; in between a frame costs one copy up, one replay and one copy down.

    Args:
        config: fit and class borders.
        engine: one whose `device_graph` is there.
        style: asked for each frame.
    """

    name = "device"

    def __init__(
        self, config: StreamConfig, engine: Engine, style: Callable[[], OverlayStyle]
    ) -> None:
        self._config, self._engine, self._ask_style = config, engine, style
        self._made_for: tuple[object, ...] | None = None
        self._slot: Slot

    def process(self, item: Frame) -> Painted:
        """Return the class map and the painted picture of a frame; waits for the device.

        Raises:
            EngineError: the engine was closed, or the device failed.
        """
        graph, style = self._graph(), self._ask_style()
        wanted = (item.hw, graph, *(getattr(style, key) for key in PAINTING))
        try:
            if wanted != self._made_for:
                self._slot, self._made_for = self._open(item.hw, graph, style), wanted
            labels, image = self._slot(item.image_bgr)
        except RuntimeError as error:
            raise EngineError(f"the device path of {self._engine.info} failed: {error}") from error
        return Painted(ClassMap(labels, self._engine.info.classes, item), image)

    def _graph(self) -> DeviceGraph:
        graph = self._engine.device_graph()
        if graph is None:
            raise EngineError(f"{self._engine.info} has no graph for pictures on the device")
        return graph

    def _open(self, frame_hw: tuple[int, int], graph: DeviceGraph, style: OverlayStyle) -> Slot:
        info, device = self._engine.info, graph.device
        fit = choose_fit(self._config.fit, frame_hw, info.input_hw)
        device_fit = DeviceFit(fit, device, smooth=self._config.postprocess.edges == "smooth")
        colouring = DeviceColouring(style, Colouring(style, info.classes), device)

        def run(frame_bgr: Tensor) -> tuple[Tensor, Tensor]:
            labels = graph.run(device_fit.apply(frame_bgr)[None])[0].view(frame_bgr.dtype)
            labels = device_fit.labels_to_frame(labels)
            return labels, colouring.paint(frame_bgr, labels)

        return open_slot(run, (*frame_hw, 3), device, capture=graph.capture)


def obstacle(config: StreamConfig, engine: Engine) -> str | None:
    """Return why a stream can't go by the device path; None where it can."""
    if engine.device_graph() is None:
        return f"{engine.info} runs on pictures in host memory only"
    if config.postprocess.needs_scores:
        return "temporal smoothing and the dense CRF are stages of their own"
    if config.postprocess.hood is not None:
        return "the bonnet's mask is laid on by the CPU"
    return None
