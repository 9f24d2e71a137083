"""From what a stream asks for to an engine: the only place where networks and streams meet."""

from __future__ import annotations

import logging
from pathlib import Path

from rtseg.backends import BACKENDS
from rtseg.backends.base import Engine
from rtseg.backends.choice import PREFERENCE, Choice, Wanted, choose
from rtseg.backends.engine_folder import MANIFEST, engines_root, file_sha256
from rtseg.backends.load import load_engine
from rtseg.background_build import BackgroundBuild
from rtseg.device import pick_device
from rtseg.errors import RtsegError
from rtseg.export.eager import eager_engine
from rtseg.fit import default_engine_hw
from rtseg.networks.trained import load_trained, read_card, weights_file
from rtseg.stream.engine_request import EngineRequest
from rtseg.stream.engine_slot import EngineSlot

_log = logging.getLogger(__name__)


def open_engine(request: EngineRequest) -> Engine:
    """Open the engine that a stream asks for: the best built one, or the network itself.

    Where none was built, one is built while eager already runs, as `EngineConfig.build` says.

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
    search = _Search(request)
    choice = search.choose()
    if choice.folder is None and config.build != "never" and search.can_build():
        if config.build == "background":
            return _GrowingEngine(search, search.open(choice))
        choice = search.build()
    return search.open(choice)


class _Search:
    """The engines that fit one request."""

    def __init__(self, request: EngineRequest) -> None:
        config = request.config
        self.request = request
        self.weights = weights_file(request.model)
        self.device = pick_device(config.device)
        self.root = engines_root(config.engines)
        self.input_hw = engine_hw(request, self.weights)
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


class _GrowingEngine(EngineSlot):
    """Eager until the engine that is being built beside it can take over."""

    def __init__(self, search: _Search, eager: Engine) -> None:
        super().__init__(eager)
        self._search = search
        self._build = BackgroundBuild(search.export_arguments(), self._take_over)

    def _take_over(self) -> None:
        choice = self._search.choose()
        if choice.folder is None:
            _log.warning("no engine came of the build, eager goes on: %s", choice.reason)
            return
        engine = self._search.open(choice)
        self.swap(engine)
        _log.info("%s has taken over", engine.info)

    def notice(self) -> str | None:
        """Return for how long the engine has been building."""
        running_s = self._build.running_s
        return None if running_s is None else f"building engine {running_s:.0f} s"

    def close(self) -> None:
        """Stop the build and release the engine."""
        self._build.stop()
        super().close()


def engine_hw(request: EngineRequest, weights: Path) -> tuple[int, int]:
    """Return the height and width of the engine's input: as asked for, or as fits the source."""
    if request.config.size_wh is not None:
        width, height = request.config.size_wh
        return height, width
    return default_engine_hw(request.frame_hw, read_card(weights).input_hw)
