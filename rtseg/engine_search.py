"""The engines that fit what a stream asks for: which is there, which can be built, how it opens."""

from __future__ import annotations

import logging
from pathlib import Path

from rtseg.backends import BACKENDS
from rtseg.backends.base import Engine
from rtseg.backends.choice import PREFERENCE, Choice, Wanted, built_sizes, choose
from rtseg.backends.engine_folder import engines_root, file_sha256
from rtseg.backends.load import load_engine
from rtseg.background_build import BackgroundBuild
from rtseg.device import pick_device
from rtseg.errors import RtsegError
from rtseg.export.eager import eager_engine
from rtseg.fit import default_engine_hw
from rtseg.networks.trained import load_trained, read_card, weights_file
from rtseg.stream.engine_request import EngineRequest

_log = logging.getLogger(__name__)


class EngineSearch:
    """The engines that fit one request.

    Args:
        request: what is asked for.
        input_hw: height and width of the engine's input; None: as the request says, or as fits
            the source.

    Raises:
        WeightsError: there is no such model, or its file is damaged.
        ConfigError: an unknown device.
    """

    def __init__(self, request: EngineRequest, input_hw: tuple[int, int] | None = None) -> None:
        config = request.config
        self.request = request
        self.weights = weights_file(request.model)
        self.device = pick_device(config.device)
        self.root = engines_root(config.engines)
        self.input_hw = input_hw or engine_hw(request, self.weights)
        self.wanted = Wanted(
            read_card(self.weights).name,
            self.input_hw,
            file_sha256(self.weights),
            config.precision,
            request.output,
            threads=request.parallelism.threads,
        )

    def choose(self) -> Choice:
        """Return the best that is there now."""
        choice = choose(self.wanted, self.device, self.root, self.request.config.backend)
        for backend, reason in choice.against.items():
            _log.debug("not %s: %s", backend, reason)
        return choice

    def built_sizes(self) -> list[tuple[int, int]]:
        """Return height and width of the inputs for which such an engine was built."""
        backend = self.request.config.backend
        if backend == "eager":
            return []  # it runs the network itself, at any size
        return built_sizes(self.root, self.wanted, self.device, backend)

    def can_build(self) -> bool:
        """Whether a backend that is better than eager works here, and none was asked for."""
        better = [name for name in PREFERENCE.get(self.device.type, ()) if name != "eager"]
        return self.request.config.backend == "auto" and any(map(self._works, better))

    def _works(self, backend: str) -> bool:
        try:
            BACKENDS[backend].require(self.device)
        except RtsegError:
            return False
        return True

    def open(self, choice: Choice) -> Engine:
        """Open what was chosen."""
        request, config = self.request, self.request.config
        if choice.folder is not None:
            return load_engine(choice.folder, config.device, request.parallelism, choice.reason)
        return eager_engine(
            load_trained(self.weights),
            self.input_hw,
            config.precision,
            request.output,
            config.device,
            request.parallelism,
            reason=choice.reason,
        )

    def export_arguments(self) -> list[str]:
        """Return the arguments of ``rtseg export`` for the engine that is missing."""
        config, (height, width) = self.request.config, self.input_hw
        return [
            *(str(self.weights), "--size", f"{width}x{height}", "--device", config.device),
            *("--output", self.wanted.output, "--precision", config.precision),
            *("--threads", str(self.request.parallelism.threads)),
            *("--engines", str(self.root)),
        ]

    def build(self) -> Choice:
        """Build the engine and wait for it; where that fails, the log says why and eager runs."""
        _log.info("building an engine of %s first", self.wanted)
        BackgroundBuild(self.export_arguments(), lambda: None).wait()
        return self.choose()


def engine_hw(request: EngineRequest, weights: Path) -> tuple[int, int]:
    """Return the height and width of the engine's input: as asked for, or as fits the source."""
    if request.config.size_wh is not None:
        width, height = request.config.size_wh
        return height, width
    return default_engine_hw(request.frame_hw, read_card(weights).input_hw)
