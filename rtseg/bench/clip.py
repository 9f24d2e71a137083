"""A video of the demo drive, for machines without a video of their own."""

from __future__ import annotations

from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

import av

from rtseg.bench.job import Clip
from rtseg.demo_drive import DemoDrive

SIZE_WH = (960, 540)
FPS = 25
DRAWN = 75
"""So many frames are drawn, which takes a while; a longer clip drives back and forth."""


def write_clip(path: Path, frames: int) -> Clip:
    """Write so many frames of the demo drive as H.264, at a dashcam's usual quality."""
    drive = DemoDrive(seed=0, width=SIZE_WH[0], height=SIZE_WH[1], fps=FPS)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", FPS, options={"crf": "20", "preset": "veryfast"})
        stream.width, stream.height = SIZE_WH
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, FPS)
        drawn = [drive.render(index)[0] for index in range(min(frames, DRAWN))]
        there_and_back = cycle([*drawn, *drawn[-2:0:-1]])
        for image_bgr in islice(there_and_back, frames):
            picture = av.VideoFrame.from_ndarray(image_bgr, "bgr24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return Clip(frames=frames, size_wh=SIZE_WH)
