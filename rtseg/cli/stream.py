"""``rtseg stream``: any camera or video in, a labelled video out."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rtseg.cli._stream_flags import add_config_flags, add_flags, read_config
from rtseg.errors import SinkError

if TYPE_CHECKING:
    from rtseg.stream.cameras.several_summary import SeveralSummary
    from rtseg.stream.settings import StreamConfig
    from rtseg.stream.sinks.sink import StreamInfo
    from rtseg.stream.summary import Summary

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_log = logging.getLogger(__name__)

DESCRIPTION = """\
Segments a camera, a video, pictures or a network stream, and shows or records the labelled
pictures.

    rtseg stream dash.mp4 -o labelled.mp4
    rtseg stream 0                                  a webcam, in a window
    rtseg stream rtsp://camera/1 -o drive.mkv --stats drive.jsonl
    rtseg stream 0 -o http://127.0.0.1:8080         a webcam, on a page for browsers
    rtseg stream demo -o demo.mp4                   the demo drive, whose truth is known
    rtseg stream 0 2 rtsp://camera/1 -o {camera}.mkv   several at a time, on one engine

Files are labelled frame by frame and keep their times and their sound; of a live source the newest
frame is taken. Ctrl-C finishes the recordings; a second one ends at once. SIGHUP reads the settings
of the overlay again.

Exit status: 0 at the source's end or when it was told to stop, 1 for a fault of the program, 2 for
bad input or a part that failed (one line says what), 128 + N for a second signal N.
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command ``stream``."""
    parser = subparsers.add_parser(
        "stream",
        help="segment a camera or video, live or recorded",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_flags(parser)
    run_group = parser.add_argument_group("run")
    add_config_flags(run_group)
    run_group.add_argument(
        "--print-config", action="store_true", help="print the whole run as YAML and end"
    )
    run_group.add_argument("--summary", type=Path, metavar="FILE", help="the figures as JSON")
    run_group.add_argument(
        "--log-json", action="store_true", help="the log as JSON lines on stderr, nothing else"
    )
    run_group.add_argument("-q", "--quiet", action="store_true", help="no progress, no figures")
    run_group.add_argument(
        "-v", "--verbose", action="store_true", help="also say why not the other backends"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the stream; 0 when it came to its end or was told to stop, 2 when a camera failed."""
    config = read_config(arguments)
    if arguments.print_config:
        print_config(config, arguments)
        return 0
    from rich.console import Console

    from rtseg.api import open_engine
    from rtseg.cli._stream_report import ProgressSink, print_summary
    from rtseg.cli._style_reload import StyleReload
    from rtseg.stream.run import Stream
    from rtseg.stream.service import Service
    from rtseg.stream.signals import stop_on_signals

    if arguments.verbose:
        logging.getLogger("rtseg").setLevel(logging.DEBUG)
    config = with_default_output(config)
    if config.cameras:
        from rtseg.cli._several import run_several

        return run_several(config, arguments)
    console = Console(stderr=True, quiet=arguments.quiet or arguments.log_json)
    with (
        Service.from_environment(waits=config.source.wait) as service,
        Stream(config, open_engine, [ProgressSink(console)]) as stream,
    ):
        console.print(f"{stream.info.source.name} → {stream.info.engine}", highlight=False)
        tell_start(stream.info, arguments)
        service.watch([stream])
        controls, classes = stream.controls, stream.info.classes
        reload = StyleReload(arguments, config, controls, classes, stream.events, service)
        with stop_on_signals(controls, reload):
            summary = stream.run()
    keep_summary(summary, arguments)
    if not arguments.log_json:
        print_summary(Console(quiet=arguments.quiet), summary)
    return 0


def print_config(config: StreamConfig, arguments: argparse.Namespace) -> None:
    """Print the run as YAML; what came from a file of sources without its credentials."""
    import yaml

    values = config.model_dump(mode="json")
    if arguments.source_file:
        from rtseg.stream.sources.uri import redact

        for source in (values["source"], *values["cameras"]):
            source["uri"] = redact(source["uri"])
    sys.stdout.write(yaml.safe_dump(values, sort_keys=False))


def tell_start(info: StreamInfo, arguments: argparse.Namespace) -> None:
    """Log what runs, where the log is for programs."""
    if arguments.log_json:
        values = {"source": info.source.name, "engine": info.engine}
        _log.info("%s → %s", *values.values(), extra={"event": "started", "values": values})


def keep_summary(summary: Summary | SeveralSummary, arguments: argparse.Namespace) -> None:
    """Write the figures of a finished run to the file that is wanted, and to a log for programs."""
    values = summary.to_dict()
    if arguments.summary:
        arguments.summary.write_text(json.dumps(values, indent=1) + "\n")
    if arguments.log_json:
        _log.info("the run is over", extra={"event": "summary", "values": values})


def with_default_output(config: StreamConfig) -> StreamConfig:
    """Return the run with the window as its output, where it names none and one can be shown.

    Raises:
        SinkError: there is neither an output nor a display.
    """
    if config.outputs or config.masks or config.stats or config.mosaic:
        return config
    from rtseg.stream.sinks.window import has_display

    if not has_display():
        raise SinkError(
            "there is no display to show the pictures on; name an output, such as "
            "-o labelled.mp4, or -o null to measure only"
        )
    return config.model_copy(update={"outputs": ("window",)})
