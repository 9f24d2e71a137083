"""A trained network as an engine at once, without a build: the reference for all others."""

from __future__ import annotations

from rtseg.backends.base import Engine, EngineInfo, OutputKind, Parallelism
from rtseg.backends.eager import EagerEngine, eager_precision
from rtseg.backends.machine import device_label
from rtseg.device import pick_device
from rtseg.export.deploy_graph import DeployGraph
from rtseg.networks.trained import TrainedNetwork


def eager_engine(
    trained: TrainedNetwork,
    input_hw: tuple[int, int],
    precision: str = "auto",
    output: OutputKind = "labels",
    device: str = "auto",
    parallelism: Parallelism | None = None,
    batch: int = 1,
    reason: str = "",
) -> Engine:
    """Return an engine that runs the network's deploy graph as torch runs it.

    Args:
        trained: left as it is.
        input_hw: height and width of the engine's input in pixels.
        precision: ``"fp32"``, ``"bf16"``, ``"fp16"``, or ``"auto"``: fp16 on CUDA devices, bf16
            on CPUs that compute in it, else fp32.
        output: ``"labels"`` or ``"scores"``.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        parallelism: how many threads call it, and on how many cores each.
        batch: pictures per call.
        reason: why this engine was chosen, for its `info`.

    Raises:
        ConfigError: an unknown device or precision.
        InputSizeError: the size is out of range.
        EngineError: the network has too many classes.
    """
    target = pick_device(device)
    chosen = eager_precision(precision, target)
    graph = DeployGraph(trained, input_hw, chosen, output).to(target)
    info = EngineInfo(
        model=trained.card.name,
        backend="eager",
        precision=chosen,
        device=device_label(target),
        classes=trained.card.classes,
        input_hw=input_hw,
        batch=batch,
        output=output,
        reason=reason,
    )
    return EagerEngine(graph, info, target, parallelism or Parallelism())
