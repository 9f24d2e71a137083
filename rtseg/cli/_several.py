"""``rtseg stream`` with several sources."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtseg.stream.cameras.cameras import Camera
    from rtseg.stream.run import Stream
    from rtseg.stream.settings import StreamConfig
    from rtseg.stream.sinks.sink import Sink


def run_several(config: StreamConfig, arguments: argparse.Namespace) -> int:
    """Run the cameras; 0 when each came to its end or was told to stop, 2 when any failed."""
    from rich.console import Console

    from rtseg.api import open_engine
    from rtseg.cli._cameras_report import CamerasProgress, print_cameras
    from rtseg.cli._style_reload import StyleReload
    from rtseg.cli.stream import keep_summary, tell_start
    from rtseg.stream.cameras.several import Several
    from rtseg.stream.service import Service
    from rtseg.stream.signals import stop_on_signals

    console = Console(stderr=True, quiet=arguments.quiet or arguments.log_json)
    waits = any(camera.wait for camera in config.cameras)
    progress = CamerasProgress(console)

    def sinks(camera: Camera) -> list[Sink]:
        return [progress.sink(camera)]

    with Service.from_environment(waits=waits) as service:
        streams: list[Stream] = []

        def tell(camera: Camera, stream: Stream) -> None:
            info = stream.info
            console.print(f"{camera.name}: {info.source.name} → {info.engine}", highlight=False)
            tell_start(info, arguments)
            streams.append(stream)
            service.watch(streams)

        with Several(config, open_engine, sinks, tell) as several:
            controls, info = several.controls, next(iter(several.streams.values())).info
            reload = StyleReload(arguments, config, controls, info.classes, info.events, service)
            with stop_on_signals(controls, reload):
                summary = several.run()
    keep_summary(summary, arguments)
    if not arguments.log_json:
        print_cameras(Console(quiet=arguments.quiet), summary, verbose=arguments.verbose)
        for name, failure in summary.failures.items():
            sys.stderr.write(f"rtseg: {name}: {failure}\n")
    return 2 if summary.failures else 0
