"""From what a stream asks for to an engine: the only place where networks and streams meet."""

from __future__ import annotations

import logging
from pathlib import Path

from rtseg.backends.base import Engine
from rtseg.backends.engine_folder import MANIFEST
from rtseg.backends.load import load_engine
from rtseg.background_build import BackgroundBuild
from rtseg.engine_search import EngineSearch, engine_hw
from rtseg.ladder import open_ladder
from rtseg.stream.engine_request import EngineRequest
from rtseg.stream.engine_slot import EngineSlot

__all__ = ["engine_hw", "open_engine"]

_log = logging.getLogger(__name__)


def open_engine(request: EngineRequest) -> Engine:
    """Open the engine that a stream asks for: the best built one, or the network itself.

    Where none was built, one is built while eager already runs, as `EngineConfig.build` says. Where
    a rate is to be kept it is an `EngineLadder` of several sizes.

    Raises:
        WeightsError: there is no such model, or its file is damaged.
        EngineError, BackendUnavailableError, MissingExtraError: the backend that was asked for
            has no engine that fits, or doesn't work here.
        ConfigError: an unknown device or precision.
    """
    config = request.config
    if config.target_fps is not None:
        return open_ladder(request)
    if (Path(request.model) / MANIFEST).is_file():
        return load_engine(
            Path(request.model), config.device, request.parallelism, "this engine was asked for"
        )
    search = EngineSearch(request)
    choice = search.choose()
    if choice.folder is None and config.build != "never" and search.can_build():
        if config.build == "background":
            return _GrowingEngine(search, search.open(choice))
        choice = search.build()
    return search.open(choice)


class _GrowingEngine(EngineSlot):
    """Eager until the engine that is being built beside it can take over."""

    def __init__(self, search: EngineSearch, eager: Engine) -> None:
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
