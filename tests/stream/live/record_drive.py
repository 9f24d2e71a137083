"""A child of the tests: a live stream that is recorded in segments until it is killed or told.

    record_drive.py OUT [--fps 30] [--segment 2] [--seconds 60] [--noise] [--slow-ms 0] [--keep 1MB]

It prints ``view INDEX SECONDS`` for each picture of a second output, ``recorded INDEX`` for each
that the recording has taken, and ``event KIND STATE TEXT``; SECONDS are of the monotonic clock.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
import time

import numpy as np

from rtseg.classes import CAMVID
from rtseg.frames import ClassMap, Frame, Picture
from rtseg.stream.controls import Controls
from rtseg.stream.events import Event
from rtseg.stream.latency import Latency
from rtseg.stream.pipeline import Pipeline, Step
from rtseg.stream.sinks.recording import Recording, RecordingConfig
from rtseg.stream.sinks.sink import Sink, StreamInfo
from rtseg.stream.sources.source import Source, SourceInfo
from rtseg.stream.stage import Stage

HW = (96, 128)


class Clock(Source):
    """A camera whose pictures say their number: 12 fields, black or white, or noise."""

    def __init__(self, fps: float, seconds: float, noise: bool) -> None:
        self.info = SourceInfo("clock", HW, fps, live=True)
        self._fps, self._end = fps, round(seconds * fps)
        self._random = np.random.default_rng(0) if noise else None
        self._index = 0
        self._start_s = time.monotonic()

    def read(self) -> Frame | None:
        if self._index >= self._end:
            return None
        index, self._index = self._index, self._index + 1
        time.sleep(max(self._start_s + index / self._fps - time.monotonic(), 0))
        image = numbered(index)
        if self._random is not None:
            image = self._random.integers(0, 256, image.shape, np.uint8)
        return Frame(image, index, index / self._fps, time.monotonic_ns(), "clock")


def numbered(index: int) -> np.ndarray:
    bits = np.array([(index >> bit) & 1 for bit in range(12)], np.uint8).reshape(3, 4)
    fields = np.kron(bits * 200 + 20, np.ones((HW[0] // 3, HW[1] // 4), np.uint8))
    return np.repeat(fields[..., np.newaxis], 3, axis=2)


class Draw(Stage):
    """Stands for the network: it labels nothing."""

    name = "draw"

    def process(self, frame: Frame) -> Picture:
        labels = np.zeros(frame.image_bgr.shape[:2], np.uint8)
        return Picture(frame.image_bgr.copy(), frame, ClassMap(labels, CAMVID, frame))


class View(Sink):
    """Another output, which must not suffer from the recording."""

    name = "view"

    def write(self, picture: Picture) -> None:
        say(f"view {picture.frame.index} {time.monotonic():.4f}")


class Told(Recording):
    """The recording; it tells what it has taken."""

    slow_s = 0.0

    def write(self, picture: Picture) -> None:
        time.sleep(self.slow_s)
        super().write(picture)
        say(f"recorded {picture.frame.index}")


_lock = threading.Lock()


def say(line: str) -> None:
    with _lock:
        os.write(1, f"{line}\n".encode())


def tell(event: Event) -> None:
    say(f"event {event.kind} {event.values.get('state', '-')} {event.text}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("output")
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--segment", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--slow-ms", type=float, default=0.0)
    parser.add_argument("--noise", action="store_true")
    parser.add_argument("--keep")
    args = parser.parse_args()
    config = RecordingConfig(preset="ultrafast", segment_s=args.segment, keep=args.keep)
    recording = Told(args.output, config)
    recording.slow_s = args.slow_ms / 1000
    source = Clock(args.fps, args.seconds, args.noise)
    info = StreamInfo(source.info, CAMVID, "engine", Controls(), Latency())
    info.events.listen(tell)
    signal.signal(signal.SIGTERM, lambda *_: info.controls.stop())
    Pipeline(source, [Step("draw", Draw)], [recording, View()], info).run()
    for line in recording.problems():
        say(f"problem {line}")
    say("end")


if __name__ == "__main__":
    main()
