"""From outputs as people write them to sinks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rtseg.config import Config
from rtseg.errors import SinkError
from rtseg.stream.sinks.class_maps import ClassMapSink
from rtseg.stream.sinks.kind import SINKS
from rtseg.stream.sinks.sink import Sink
from rtseg.stream.sinks.statistics import StatisticsSink
from rtseg.stream.sinks.window import WindowConfig

if TYPE_CHECKING:
    from rtseg.stream.settings import StreamConfig


def make_sink(
    output: str, configs: Mapping[str, Config] | None = None, *, overwrite: bool = False
) -> Sink:
    """Return the sink for an output as ``-o`` takes it; nothing is opened yet.

    >>> from rtseg.stream.sinks import make_sink
    >>> make_sink("out.mp4").name
    'out.mp4'

    Args:
        output: such as ``"out.mp4"``, ``"window"``, ``"frames/%06d.png"``, ``"null"``.
        configs: settings by the name of their kind in `SINKS`.
        overwrite: replace files that exist.

    Raises:
        SinkError: no kind of sink takes the output; the message lists those that are allowed.
    """
    for name, kind in SINKS.items():
        if kind.matches(output):
            return kind(output, (configs or {}).get(name), overwrite=overwrite)
    allowed = "; ".join(kind.outputs for _, kind in SINKS.items() if kind is not ClassMapSink)
    raise SinkError(f"no output is written like {output!r}; allowed are {allowed}")


def open_sinks(config: StreamConfig) -> list[Sink]:
    """Return the sinks that a stream's configuration asks for; the pipeline opens them.

    A file that is shown in a window, and goes nowhere else, is shown at its own speed.

    Raises:
        SinkError: an output is unknown, or named twice.
    """
    outputs = [*config.outputs]
    others = [str(path) for path in (config.masks, config.stats) if path is not None]
    _refuse_twins([*outputs, *others])
    only_window = outputs == ["window"] and not others
    configs = {
        "recording": config.recording,
        "browser": config.browser,
        "window": WindowConfig(realtime=only_window),
    }
    sinks = [make_sink(output, configs, overwrite=config.overwrite) for output in outputs]
    if config.masks is not None:
        sinks.append(ClassMapSink(config.masks, overwrite=config.overwrite))
    if config.stats is not None:
        sinks.append(StatisticsSink(config.stats, overwrite=config.overwrite))
    return sinks


def _refuse_twins(outputs: list[str]) -> None:
    places = [os.path.abspath(output) for output in outputs]  # noqa: PTH100 (keeps links apart)
    twice = next((o for o, at in zip(outputs, places, strict=True) if places.count(at) > 1), None)
    if twice is not None:
        raise SinkError(f"the output {twice} is named twice; each one needs its own name")
