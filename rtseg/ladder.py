"""The sizes of a network among which a stream that keeps a rate chooses, and their engines."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rtseg.backends import BACKENDS
from rtseg.backends.base import Engine
from rtseg.backends.choice import Wanted, built_sizes, find_engine
from rtseg.backends.engine_folder import MANIFEST, open_engine_folder
from rtseg.backends.load import built_for, load_engine
from rtseg.background_build import BackgroundBuild
from rtseg.device import pick_device
from rtseg.engine_search import EngineSearch
from rtseg.errors import EngineError
from rtseg.fit import has_same_aspect, scaled_hw
from rtseg.stream.engine_request import EngineRequest
from rtseg.stream.engine_slot import EngineSlot
from rtseg.stream.pace.engine_ladder import EngineLadder

_log = logging.getLogger(__name__)

FACTORS = (1.0, 0.8, 0.64, 0.5)
"""The sides of the usual sizes: each costs about two thirds of the one before, the last a quarter
of the first. Every size is held open, so a few do."""
NEAR = 1.3
"""A built size with so many times the pixels, or so few, stands for a usual one."""
MOST_RUNGS = 6

SizeHW = tuple[int, int]


def open_ladder(request: EngineRequest) -> EngineLadder:
    """Open the engines of several sizes that a stream with a target rate asks for.

    Each size runs the best engine that was built for it, and eager where none was; those are
    built one after the other beside the stream, as `EngineConfig.build` says.

    Raises:
        WeightsError: there is no such model, or its file is damaged.
        EngineError, BackendUnavailableError, MissingExtraError: the backend that was asked for
            has no engine that fits, or doesn't work here.
        ConfigError: an unknown device or precision.
    """
    if (Path(request.model) / MANIFEST).is_file():
        return EngineLadder(_open_beside(request))
    search = EngineSearch(request)
    searches = [EngineSearch(request, size) for size in _sizes(search)]
    _tell(searches)
    return _open(searches)


def default_sizes(
    largest_hw: SizeHW, built: Sequence[SizeHW], *, also_unbuilt: bool
) -> list[SizeHW]:
    """Return the sizes of a ladder, height and width, the largest first.

    Args:
        largest_hw: the top of the ladder, which is always in it.
        built: sizes that there are engines of; those of other proportions or more pixels don't
            count.
        also_unbuilt: take those of the usual sizes besides that no built one is near to.

    >>> default_sizes((288, 512), [(144, 256)], also_unbuilt=True)
    [(288, 512), (232, 408), (184, 328), (144, 256)]
    """
    usable = [
        hw for hw in built
        if has_same_aspect(hw, largest_hw) and math.prod(hw) <= math.prod(largest_hw)
    ]  # fmt: skip
    sizes = {largest_hw, *usable}
    if also_unbuilt:
        for usual in (scaled_hw(largest_hw, factor) for factor in FACTORS):
            if not any(_are_near(usual, size) for size in sizes):
                sizes.add(usual)
    return sorted(sizes, key=math.prod, reverse=True)[:MOST_RUNGS]


class GrowingLadder(EngineLadder):
    """A ladder whose missing engines are built, one after the other, while it runs on eager.

    Args:
        rungs: slots, each with the engine that there is.
        missing: what to look for, and to build, for the slots that hold eager.
    """

    def __init__(
        self, rungs: Sequence[EngineSlot], missing: dict[EngineSlot, EngineSearch]
    ) -> None:
        super().__init__(rungs)
        self._missing = missing
        self._build: BackgroundBuild | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._build_all, name="rtseg-builds", daemon=True)
        self._thread.start()

    def notice(self) -> str | None:
        """Return which engine is being built, and for how long."""
        build = self._build
        running_s = None if build is None else build.running_s
        return super().notice() if running_s is None else f"building engine {running_s:.0f} s"

    def close(self) -> None:
        """Stop the build and release every rung."""
        with self._lock:
            self._closed = True
            build = self._build
        if build is not None:
            build.stop()
        self._thread.join()
        super().close()

    def _build_all(self) -> None:
        for slot, search in self._missing.items():
            with self._lock:
                if self._closed:
                    return
                self._build = BackgroundBuild(search.export_arguments(), lambda: None)
            self._build.wait()
            if not self._closed:
                self._take_over(slot, search)

    def _take_over(self, slot: EngineSlot, search: EngineSearch) -> None:
        choice = search.choose()
        if choice.folder is None:
            return  # the build has told why
        try:
            engine = search.open(choice)
            slot.swap(engine)
            self.measure(self.rungs.index(slot))
        except EngineError as error:
            if not self._closed:
                _log.warning("%s; eager goes on", error)
            return
        _log.info("%s has taken over", engine.info)


def _sizes(search: EngineSearch) -> list[SizeHW]:
    config = search.request.config
    if config.sizes_wh:
        return sorted({(h, w) for w, h in config.sizes_wh}, key=math.prod, reverse=True)
    built = search.built_sizes()
    may_build = config.build != "never" and search.can_build()
    eager_does = config.backend in ("auto", "eager")
    too_few = len(default_sizes(search.input_hw, built, also_unbuilt=False)) < 2
    sizes = default_sizes(
        search.input_hw, built, also_unbuilt=eager_does and (may_build or too_few)
    )
    if not eager_does and built:
        sizes = [size for size in sizes if size in built]
    return sizes or [search.input_hw]


def _open(searches: Sequence[EngineSearch]) -> EngineLadder:
    """Open every size; those without an engine on eager, with a build of one if that is wanted."""
    opened: list[Engine] = []
    missing: dict[EngineSlot, EngineSearch] = {}
    try:
        for search in searches:
            slot, is_missing = _open_one(search)
            opened.append(slot)
            if is_missing:
                missing[slot] = search
    except BaseException:
        for engine in opened:
            engine.close()
        raise
    slots = [engine for engine in opened if isinstance(engine, EngineSlot)]
    return GrowingLadder(slots, missing) if missing else EngineLadder(opened)


def _open_one(search: EngineSearch) -> tuple[EngineSlot, bool]:
    """Return a size's engine, and whether a better one is to be built beside the stream."""
    choice, build = search.choose(), search.request.config.build
    is_missing = choice.folder is None and build != "never" and search.can_build()
    if is_missing and build == "wait":
        choice, is_missing = search.build(), False
    return EngineSlot(search.open(choice)), is_missing


def _open_beside(request: EngineRequest) -> list[Engine]:
    """Open the engine folder that is asked for, and those beside it that differ in size alone.

    Raises:
        EngineError: one of the sizes that were asked for isn't there.
    """
    asked = open_engine_folder(Path(request.model))
    spec, root, config = asked.manifest.spec, asked.path.parent, request.config
    device = built_for(asked) if config.device == "auto" else pick_device(config.device)
    wanted = Wanted(
        spec.model, None, spec.weights_sha256, spec.precision, spec.output, spec.batch,
        request.parallelism.threads,
    )  # fmt: skip
    built = built_sizes(root, wanted, device, spec.backend)
    sizes = [(h, w) for w, h in config.sizes_wh] or [
        size for size in default_sizes(spec.input_hw, built, also_unbuilt=False)
        if size != spec.input_hw
    ]  # fmt: skip
    _log.info("sizes to choose among, beside %s: %s", asked.path.name, _words(sizes) or "none")
    opened: list[Engine] = []
    try:
        if not config.sizes_wh:
            opened.append(load_engine(asked, config.device, request.parallelism, "asked for"))
        for size in sizes:
            found = find_engine(
                root, replace(wanted, input_hw=size), BACKENDS[spec.backend], device
            )
            if found.folder is None:
                raise EngineError(f"{_words([size])}: {found.reason}; there are {_words(built)}")
            opened.append(
                load_engine(found.folder, config.device, request.parallelism, found.reason)
            )
    except BaseException:
        for engine in opened:
            engine.close()
        raise
    return opened


def _tell(searches: Sequence[EngineSearch]) -> None:
    sizes = [search.input_hw for search in searches]
    if len(sizes) > 1:
        _log.info("sizes to choose among: %s", _words(sizes))
        return
    smaller = scaled_hw(sizes[0], FACTORS[-1])
    _log.warning(
        "%s is the only size, so a rate can be kept by leaving frames out alone; name smaller ones "
        "(--engine-sizes) or build them: rtseg export %s --size %s",
        _words(sizes), searches[0].wanted.model, _words([smaller]),
    )  # fmt: skip


def _words(sizes: Sequence[SizeHW]) -> str:
    return ", ".join(f"{width}x{height}" for height, width in sizes)


def _are_near(one: SizeHW, other: SizeHW) -> bool:
    ratio = math.prod(one) / math.prod(other)
    return 1 / NEAR < ratio < NEAR
