"""SIGHUP: the overlay's settings are read again, while the stream runs."""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING

from rtseg.cli._stream_flags import read_config
from rtseg.errors import RtsegError

if TYPE_CHECKING:
    from rtseg.classes import ClassSet
    from rtseg.stream.controls import Controls
    from rtseg.stream.events import Events
    from rtseg.stream.service import Service
    from rtseg.stream.settings import StreamConfig


class StyleReload:
    """Reads the run's file, flags and overrides again, and draws as they say.

    What can't be used is told in one line, and the style stays. Other settings than the overlay's
    are for the next start, which is told too.

    Args:
        arguments: of the command line.
        config: the run as it was read last.
        controls: their style is set.
        classes: that a style may name.
        events: told of each reload.
        service: tells the service manager.
    """

    def __init__(
        self,
        arguments: argparse.Namespace,
        config: StreamConfig,
        controls: Controls,
        classes: ClassSet,
        events: Events,
        service: Service,
    ) -> None:
        self._arguments = arguments
        self._config = config
        self._controls = controls
        self._classes = classes
        self._events = events
        self._service = service

    def __call__(self) -> None:
        """Read again."""
        with self._service.reloading():
            try:
                config = self._read()
            except RtsegError as error:
                line = " ".join(str(error).split())
                self._events.add(
                    "reload failed", f"the overlay stays as it was: {line}", level=logging.WARNING
                )
                return
            self._controls.style = config.overlay
            self._events.add("reloaded", f"the overlay was read again{self._others(config)}")

    def _read(self) -> StreamConfig:
        from rtseg.stream.run import check_names

        config = read_config(self._arguments)
        check_names(config.overlay, self._classes)
        return config

    def _others(self, config: StreamConfig) -> str:
        old, new = (run.model_dump(exclude={"overlay"}) for run in (self._config, config))
        changed = [key for key in new if new[key] != old[key]]
        return f"; {', '.join(changed)} changed too, for the next start" if changed else ""
