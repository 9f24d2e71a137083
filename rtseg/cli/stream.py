"""``rtseg stream``: any camera or video in, a labelled video out."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rtseg.cli._stream_flags import add_flags, read_config
from rtseg.errors import SinkError

if TYPE_CHECKING:
    from rtseg.stream.settings import StreamConfig

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

DESCRIPTION = """\
Segments a camera, a video, pictures or a network stream, and shows or records the labelled
pictures.

    rtseg stream dash.mp4 -o labelled.mp4
    rtseg stream 0                                  a webcam, in a window
    rtseg stream rtsp://camera/1 -o drive.mkv --stats drive.jsonl
    rtseg stream demo -o demo.mp4                   the demo drive, whose truth is known

Files are labelled frame by frame and keep their times and their sound; of a live source the newest
frame is taken. Ctrl-C finishes the recordings; a second one ends at once.
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
    run_group.add_argument("--config", metavar="FILE", help="a file as in configs/stream/")
    run_group.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="set any key of it"
    )
    run_group.add_argument(
        "--print-config", action="store_true", help="print the whole run as YAML and end"
    )
    run_group.add_argument("--summary", type=Path, metavar="FILE", help="the figures as JSON")
    run_group.add_argument("-q", "--quiet", action="store_true", help="no progress, no figures")
    run_group.add_argument(
        "-v", "--verbose", action="store_true", help="also say why not the other backends"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the stream; 0 when it came to its end or was told to stop."""
    config = read_config(arguments)
    if arguments.print_config:
        import yaml

        sys.stdout.write(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
        return 0
    from rich.console import Console

    from rtseg.api import open_engine
    from rtseg.cli._stream_report import ProgressSink, print_summary
    from rtseg.stream.run import Stream
    from rtseg.stream.signals import stop_on_signals

    if arguments.verbose:
        logging.getLogger("rtseg").setLevel(logging.DEBUG)
    config = with_default_output(config)
    console = Console(stderr=True, quiet=arguments.quiet)
    with Stream(config, open_engine, [ProgressSink(console)]) as stream:
        console.print(f"{stream.info.source.name} → {stream.info.engine}", highlight=False)
        with stop_on_signals(stream.controls):
            summary = stream.run()
    if arguments.summary:
        arguments.summary.write_text(json.dumps(summary.to_dict(), indent=1) + "\n")
    print_summary(Console(quiet=arguments.quiet), summary)
    return 0


def with_default_output(config: StreamConfig) -> StreamConfig:
    """Return the run with the window as its output, where it names none and one can be shown.

    Raises:
        SinkError: there is neither an output nor a display.
    """
    if config.outputs or config.masks or config.stats:
        return config
    from rtseg.stream.sinks.window import has_display

    if not has_display():
        raise SinkError(
            "there is no display to show the pictures on; name an output, such as "
            "-o labelled.mp4, or -o null to measure only"
        )
    return config.model_copy(update={"outputs": ("window",)})
