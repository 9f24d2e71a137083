"""From what a stream asks for to an engine: the only place where networks and streams meet."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from rtseg.backends.base import Engine
from rtseg.backends.choice import Choice, Wanted, choose
from rtseg.backends.engine_folder import MANIFEST, engines_root, file_sha256
from rtseg.backends.load import load_engine
from rtseg.device import pick_device
from rtseg.export.eager import eager_engine
from rtseg.fit import default_engine_hw
from rtseg.networks.trained import load_trained, read_card, weights_file
from rtseg.stream.engine_request import EngineRequest

_log = logging.getLogger(__name__)


def open_engine(request: EngineRequest) -> Engine:
    """Open the engine that a stream asks for: the best built one, or the network itself.

    Raises:
        WeightsError: there is no such model, or its file is damaged.
        EngineError, BackendUnavailableError, MissingExtraError: the backend that was asked for
            has no engine that fits, or doesn't work here.
        ConfigError: an unknown device or precision.
    """
    config = request.config
    if (Path(request.model) / MANIFEST).is_file():
        return load_engine(
            Path(request.model), config.device, request.parallelism, "this engine was asked for"
        )
    weights = weights_file(request.model)
    input_hw = engine_hw(request, weights)
    device = pick_device(config.device)
    choice = _choose(request, weights, input_hw, device)
    for backend, reason in choice.against.items():
        _log.debug("not %s: %s", backend, reason)
    if choice.folder is not None:
        return load_engine(choice.folder, config.device, request.parallelism, choice.reason)
    return eager_engine(
        load_trained(weights),
        input_hw,
        config.precision,
        request.output,
        config.device,
        request.parallelism,
        reason=choice.reason,
    )


def engine_hw(request: EngineRequest, weights: Path) -> tuple[int, int]:
    """Return the height and width of the engine's input: as asked for, or as fits the source."""
    if request.config.size_wh is not None:
        width, height = request.config.size_wh
        return height, width
    return default_engine_hw(request.frame_hw, read_card(weights).input_hw)


def _choose(
    request: EngineRequest, weights: Path, input_hw: tuple[int, int], device: torch.device
) -> Choice:
    config = request.config
    wanted = Wanted(
        read_card(weights).name,
        input_hw,
        file_sha256(weights),
        config.precision,
        request.output,
    )
    return choose(wanted, device, engines_root(config.engines), config.backend)
