"""A child of the tests: records pictures until it is killed, or until the disk is full.

    record_forever.py OUT FPS [--limit BYTES] [--fast] [--noise]

It prints ``go``, then the number of each picture once it was written, then what went wrong.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import time
from itertools import count

import numpy as np

from rtseg.classes import CAMVID
from rtseg.errors import SinkError
from rtseg.frames import ClassMap, Frame, Picture
from rtseg.stream.controls import Controls
from rtseg.stream.latency import Latency
from rtseg.stream.sinks import ClassMapSink, StatisticsSink, StreamInfo, make_sink
from rtseg.stream.sinks.sink import Sink
from rtseg.stream.sources.source import SourceInfo

HW = (48, 64)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("output")
    parser.add_argument("fps", type=float)
    parser.add_argument("--kind", choices=["output", "masks", "stats"], default="output")
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--noise", action="store_true")
    args = parser.parse_args()
    source = SourceInfo("test", HW, args.fps, live=False)
    info = StreamInfo(source, CAMVID, "engine", Controls(), Latency())
    sink = make(args.kind, args.output)
    sink.open(info)
    if args.limit:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writes fail with EFBIG instead
        resource.setrlimit(resource.RLIMIT_FSIZE, (args.limit, args.limit))
    say("go")
    try:
        write(sink, args)
    except SinkError as error:
        say(f"SinkError: {error}")
    sink.close()
    say("closed")


def make(kind: str, output: str) -> Sink:
    if kind == "masks":
        return ClassMapSink(output)
    return StatisticsSink(output) if kind == "stats" else make_sink(output)


def write(sink: Sink, args: argparse.Namespace) -> None:
    random = np.random.default_rng(0)
    start = time.monotonic()
    for index in count():
        pts_s = index / args.fps
        if not args.fast:
            time.sleep(max(start + pts_s - time.monotonic(), 0))
        image = np.full((*HW, 3), index % 256, np.uint8)
        if args.noise:
            image = random.integers(0, 256, image.shape, np.uint8)
        frame = Frame(image, index, pts_s, time.monotonic_ns(), "test")
        labels = image[..., 0] % len(CAMVID)
        sink.write(Picture(image, frame, ClassMap(labels, CAMVID, frame)))
        say(str(index))


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    main()
