"""A child of the tests: shows a stream in a window, as the pipeline's main thread does.

    show_window.py PICTURES [--fps N] [--realtime] [--redraw] [--lose]

It prints a line of JSON for each change of the stream's state, and ``closed`` at the end. The
picture's left half is red, its right half blue.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import time
from itertools import count

import numpy as np

from rtseg.classes import CAMVID
from rtseg.errors import SinkError
from rtseg.frames import ClassMap, Frame, Picture
from rtseg.stream.controls import Controls
from rtseg.stream.latency import Latency
from rtseg.stream.reception import Reception
from rtseg.stream.sinks.sink import StreamInfo
from rtseg.stream.sinks.window import WindowConfig, WindowSink
from rtseg.stream.sources.source import SourceInfo

HW = (360, 640)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("num_pictures", type=int)
    parser.add_argument("--fps", type=float, default=50.0)
    parser.add_argument("--realtime", action="store_true")
    parser.add_argument("--redraw", action="store_true")
    parser.add_argument("--lose", action="store_true", help="no signal from the 5th to the 6th")
    args = parser.parse_args()
    source = SourceInfo("drive.mp4", HW, args.fps, live=False)
    redraw = redrawn if args.redraw else None
    info = StreamInfo(source, CAMVID, "engine", Controls(), Latency(), redraw)
    sink = WindowSink(config=WindowConfig(realtime=args.realtime))
    try:
        sink.open(info)
    except SinkError as error:
        say(f"SinkError: {error}")
        return
    show(sink, info, args)
    sink.close()
    sink.close()
    say("closed")


def show(sink: WindowSink, info: StreamInfo, args: argparse.Namespace) -> None:
    controls = info.controls
    last, start = "", time.monotonic()
    for index in count():
        while not controls.wait(0.01) and not controls.stopped:
            sink.idle()
            last = tell(controls, index, last)
        if controls.stopped or index == args.num_pictures:
            break
        if args.lose and index == 5:
            lose(sink, info.reception)
        sink.write(picture(index, index / args.fps))
        last = tell(controls, index + 1, last)
    say(json.dumps({"seconds": time.monotonic() - start}))


def lose(sink: WindowSink, reception: Reception) -> None:
    """Let the window be without a signal until a line of input comes."""
    reception.lose("the camera is away")
    say("lost")
    while not select.select([0], [], [], 0.02)[0]:
        sink.idle()
    reception.find()


def tell(controls: Controls, shown: int, last: str) -> str:
    state = {
        "style": controls.style.model_dump(),
        "paused": controls.paused,
        "stopped": controls.stopped,
        "shown": shown if controls.paused else None,
    }
    line = json.dumps(state)
    if line != last:
        say(line)
    return line


def picture(index: int, pts_s: float, left_bgr: tuple[int, int, int] = (0, 0, 255)) -> Picture:
    image = np.zeros((*HW, 3), np.uint8)
    image[:, :320], image[:, 320:] = left_bgr, (255, 0, 0)
    frame = Frame(image, index, pts_s, time.monotonic_ns(), "drive.mp4")
    return Picture(image, frame, ClassMap(np.zeros(HW, np.uint8), CAMVID, frame))


def redrawn(class_map: ClassMap) -> Picture:
    frame = class_map.frame
    image = np.array(frame.image_bgr)
    image[:, :320] = (0, 255, 0)
    return Picture(image, frame, class_map)


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    main()
