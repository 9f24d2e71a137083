"""Films made for a test: frames that say their own number, any container, times and sound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

WH = (64, 48)
NUM_BITS = 8


def numbered(index: int, wh: tuple[int, int] = WH) -> np.ndarray:
    """Return a picture uint8 [H, W, 3] of upright bars that spell `index` in binary."""
    width, height = wh
    bits = [(index >> bit) & 1 for bit in range(NUM_BITS)]
    bars = np.repeat(np.array(bits, np.uint8) * 215 + 20, width // NUM_BITS)
    row = np.pad(bars, (0, width - len(bars)), mode="edge")
    return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (height, width, 3)))


def number_of(image: np.ndarray) -> int:
    """Return the number that a picture made by `numbered` spells."""
    width = image.shape[1] // NUM_BITS
    row = image[image.shape[0] // 2, :, 1]
    return sum(int(row[bit * width + width // 2] > 127) << bit for bit in range(NUM_BITS))


def write_film(
    path: Path,
    pictures: Iterable[np.ndarray] | int = 10,
    *,
    times_ms: Sequence[int] | None = None,
    fps: int = 25,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    sound_ms: tuple[int, int] | None = None,
    picture_format: str = "bgr24",
) -> Path:
    """Write a film; a number of pictures stands for so many numbered ones.

    Args:
        times_ms: when each is shown; at `fps` unless given.
        sound_ms: when the sound begins and ends; none unless given.
    """
    images = [numbered(i) for i in range(pictures)] if isinstance(pictures, int) else [*pictures]
    height, width = images[0].shape[:2]
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=fps, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.time_base = Fraction(1, 1000 if times_ms else fps)
        # Both are added before the first packet: the header names them.
        sound = None if sound_ms is None else container.add_stream(sound_codec(path), rate=48000)
        if sound is not None and sound_ms is not None:
            for packet in sound_packets(sound, *sound_ms):
                container.mux(packet)
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format=picture_format)
            frame.pts = times_ms[index] if times_ms else index
            frame.time_base = stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def sound_codec(path: Path) -> str:
    return {".webm": "libopus", ".avi": "mp2"}.get(path.suffix, "aac")


def sound_packets(stream: Any, begin_ms: int, end_ms: int) -> Iterable[Any]:
    size = 1024
    for start in range(begin_ms * 48, end_ms * 48, size):
        wave = 0.2 * np.sin(np.arange(start, start + size) * 2 * np.pi * 440 / 48000)
        stereo = np.stack([wave, wave]).astype(np.float32)
        layout = "stereo" if stream.codec_context.layout.nb_channels == 2 else "mono"
        frame = av.AudioFrame.from_ndarray(stereo[: 1 if layout == "mono" else 2], "fltp", layout)
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        yield from stream.encode(frame)
    yield from stream.encode()


@pytest.fixture(name="write_film")
def _write_film() -> Callable[..., Path]:
    """`write_film` of this file."""
    return write_film


@pytest.fixture(name="numbered")
def _numbered() -> Callable[..., np.ndarray]:
    """`numbered` of this file."""
    return numbered


@pytest.fixture(name="number_of")
def _number_of() -> Callable[[np.ndarray], int]:
    """`number_of` of this file."""
    return number_of
