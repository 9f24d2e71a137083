"""The loop that most people write, for comparison: one thread, one frame, one step after another.

OpenCV reads, the same engine segments, numpy colours, OpenCV writes (MPEG-4 part 2, as the H.264
encoder is not in OpenCV's wheels). The engine may use all cores, as it does by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from rtseg.backends.base import Engine
from rtseg.errors import SinkError, SourceError
from rtseg.frames import Labels


def naive_loop(engine: Engine, source: Path, recording: Path, frames: int) -> Iterator[Labels]:
    """Label a video; yield each frame's labels, uint8 [H, W], when it has been written.

    Args:
        engine: gives labels.
        source: the video.
        recording: the file to write, .mp4.
        frames: stop after so many.

    Raises:
        SourceError: OpenCV can't open the video.
        SinkError: OpenCV can't write the recording.
    """
    capture = cv2.VideoCapture(str(source))
    writer = cv2.VideoWriter()
    try:
        if not capture.isOpened():
            raise SourceError(f"OpenCV can't open {source}: the naive loop needs a video file")
        width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        fps = capture.get(cv2.CAP_PROP_FPS) or 25.0
        code = cv2.VideoWriter.fourcc(*"mp4v")
        if not writer.open(str(recording), code, fps, (width, height)):
            raise SinkError(f"OpenCV can't write {recording}")
        yield from _label(engine, capture, writer, frames)
    finally:
        capture.release()
        writer.release()


def _label(
    engine: Engine, capture: cv2.VideoCapture, writer: cv2.VideoWriter, frames: int
) -> Iterator[Labels]:
    colours_bgr = engine.info.classes.palette_bgr()
    height, width = engine.info.input_hw
    for _ in range(frames):
        there, image_bgr = capture.read()
        if not there:
            return
        small = np.asarray(cv2.resize(image_bgr, (width, height)), np.uint8)
        coarse = engine.infer(small[None])[0]
        size_wh = image_bgr.shape[1], image_bgr.shape[0]
        labels = np.asarray(cv2.resize(coarse, size_wh, interpolation=cv2.INTER_NEAREST), np.uint8)
        picture = (0.5 * image_bgr + 0.5 * colours_bgr[labels]).astype(np.uint8)
        writer.write(picture)
        yield labels
