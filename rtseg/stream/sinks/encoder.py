"""The H.264 encoders: which of them open on this machine, and how each is set."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, get_args

import av
from av.error import FFmpegError

from rtseg.errors import SinkError
from rtseg.stream.sinks.film_times import DEFAULT_FPS, TIME_BASE

EncoderName = Literal["auto", "libx264", "h264_nvenc", "h264_v4l2m2m", "h264_vaapi"]
ENCODERS: tuple[str, ...] = tuple(name for name in get_args(EncoderName) if name != "auto")
Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow"]

_NVENC_PRESETS = {"ultrafast": "p1", "superfast": "p2", "veryfast": "p3", "faster": "p4",
                  "fast": "p4", "medium": "p5", "slow": "p6"}  # fmt: skip
_PROBE_HW = (256, 320)
"""Hardware encoders refuse very small pictures."""
_MAX_THREADS = 8

# Numbers of ISO/IEC 23091-2, as FFmpeg uses them too.
_PRIMARIES_BT709, _TRANSFER_BT709, _MATRIX_BT601, _RANGE_LIMITED = 1, 1, 6, 1


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """How H.264 is made.

    Args:
        name: FFmpeg's name of the encoder, one of `ENCODERS`.
        preset: x264's speed against size.
        crf: x264's constant quality, 0 (lossless) to 51.
        threads: cores for one film; 0 leaves it to the size of the machine.
    """

    name: str
    preset: Preset = "veryfast"
    crf: float = 23.0
    threads: int = 0


def choose_encoder(name: EncoderName) -> str:
    """Return the encoder that will be used: the named one, or the first that works.

    ``auto`` prefers libx264: it gives the same film on every machine and holds no picture back.

    Raises:
        SinkError: the encoder doesn't work here, and why.
    """
    if name != "auto":
        if (reason := probe(name)) != "ok":
            raise SinkError(
                f"the encoder {name} doesn't work here: {reason}; use encoder auto, or libx264"
            )
        return name
    for candidate in ENCODERS:
        if probe(candidate) == "ok":
            return candidate
    reasons = "; ".join(f"{candidate}: {probe(candidate)}" for candidate in ENCODERS)
    raise SinkError(
        f"no H.264 encoder works here ({reasons}); write pictures instead: -o FOLDER/%06d.jpg"
    )


def available_encoders() -> dict[str, str]:
    """Return ``"ok"`` or the reason why not, for each H.264 encoder."""
    return {name: probe(name) for name in ENCODERS}


@functools.cache
def probe(name: str) -> str:
    """Encode one picture; return ``"ok"``, or in a few words why it doesn't work."""
    try:
        context: Any = av.CodecContext.create(name, "w")
    except (FFmpegError, ValueError):
        return "this FFmpeg was built without it"
    with av.logging.Capture(local=False) as lines:
        level = av.logging.get_level()
        av.logging.set_level(av.logging.ERROR)
        try:
            configure(context, EncoderSettings(name), _PROBE_HW, 25.0)
            frame = av.VideoFrame(_PROBE_HW[1], _PROBE_HW[0], "yuv420p")
            frame.pts, frame.time_base = 0, TIME_BASE
            num_packets = len(context.encode(frame)) + len(context.encode(None))
        except (FFmpegError, ValueError) as error:
            return _first_reason(lines) or getattr(error, "strerror", None) or str(error)
        finally:
            av.logging.set_level(level)
    return "ok" if num_packets else "it opens but gives no picture"


def _first_reason(lines: list[tuple[int, str, str]]) -> str:
    messages = (" ".join(message.split()).rstrip(".") for _, _, message in lines)
    return next((message for message in messages if message), "")


def configure(
    context: Any, settings: EncoderSettings, hw: tuple[int, int], fps: float | None
) -> None:
    """Set an encoder's context that isn't open yet.

    No picture is held back (no B-frames, no look-ahead, no frame threads), so that a picture is in
    the file as soon as its fragment ends. With x264 that costs 6 % of the size and saves a
    quarter of the time.

    Args:
        context: PyAV's `VideoCodecContext`.
        settings: which encoder, and how good.
        hw: even height and width, pixels.
        fps: nominal rate of the source.
    """
    context.height, context.width = hw
    context.pix_fmt = "yuv420p"
    rate = fps if fps and fps > 0 else DEFAULT_FPS
    context.time_base = TIME_BASE
    context.framerate = Fraction(rate).limit_denominator(1001)
    context.max_b_frames = 0
    context.color_range = _RANGE_LIMITED
    context.colorspace = _MATRIX_BT601
    context.color_primaries = _PRIMARIES_BT709
    context.color_trc = _TRANSFER_BT709
    context.gop_size = max(round(rate), 1)  # where the encoder heeds no forced keyframes
    context.options = _OPTIONS[settings.name](context, settings, rate)


def _libx264(context: Any, settings: EncoderSettings, fps: float) -> dict[str, str]:
    context.gop_size = 2**30  # keyframes are forced by time
    context.thread_count = settings.threads or _threads()
    # x264 holds a picture back to learn how long it lasts, unless it may take the rate for fixed.
    params = "rc-lookahead=0:sync-lookahead=0:mbtree=0:sliced-threads=1:force-cfr=1"
    return {
        "preset": settings.preset,
        "crf": f"{settings.crf:g}",
        "forced-idr": "1",
        "x264-params": params,
    }


def _nvenc(context: Any, settings: EncoderSettings, fps: float) -> dict[str, str]:
    return {
        "preset": _NVENC_PRESETS[settings.preset],
        "rc": "vbr",
        "cq": f"{settings.crf:g}",
        "forced-idr": "1",
        "zerolatency": "1",
        "delay": "0",
        "rc-lookahead": "0",
    }


def _by_bit_rate(context: Any, settings: EncoderSettings, fps: float) -> dict[str, str]:
    """Set a bit rate: these have no constant quality. 0.1 bit a pixel at crf 23, x2 each 6 less."""
    bits_per_pixel = 0.1 * 2 ** ((23 - settings.crf) / 6)
    context.bit_rate = round(context.width * context.height * fps * bits_per_pixel)
    return {}


_OPTIONS = {
    "libx264": _libx264,
    "h264_nvenc": _nvenc,
    "h264_v4l2m2m": _by_bit_rate,
    "h264_vaapi": _by_bit_rate,
}


def _threads() -> int:
    """Return a quarter of the cores: the rest belong to the network.

    One core makes 130 pictures of 1280x720 a second.
    """
    return min(max((os.cpu_count() or 1) // 4, 1), _MAX_THREADS)
