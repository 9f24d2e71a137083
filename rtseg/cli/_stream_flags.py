"""The flags of ``rtseg stream`` and the configuration keys that they set."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtseg.stream.settings import StreamConfig


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag that sets one key.

    Args:
        name: as typed, such as ``"--alpha"``.
        key: the key's path in the configuration.
        help: one line.
        metavar: what stands for its value; empty for a switch.
        value: what a switch sets.
        read: turns the typed text into the key's value; what is wrong with it the
            configuration says.
        many: may be given several times.
    """

    name: str
    key: str
    help: str
    metavar: str = ""
    value: Any = True
    read: Callable[[str], Any] = str
    many: bool = False


def _size(text: str) -> Any:
    """Read ``WIDTHxHEIGHT``; anything else is left for the configuration to refuse."""
    width, _, height = text.lower().partition("x")
    return (int(width), int(height)) if width.isdecimal() and height.isdecimal() else text


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


GROUPS: dict[str, tuple[Flag, ...]] = {
    "source": (
        Flag("--size", "source.size_wh", "picture size of a camera or the demo", "WxH", read=_size),
        Flag("--fps", "source.fps", "rate of a camera, of pictures or of the demo", "N"),
        Flag("--fourcc", "source.fourcc", "pixel format of a camera, such as MJPG", "CODE"),
        Flag("--rotate", "source.rotate", "auto, 0, 90, 180 or 270 degrees clockwise", "DEGREES"),
        Flag("--flip", "source.flip", "none, horizontal, vertical or both", "HOW"),
        Flag("--start", "source.start_s", "begin here", "SECONDS"),
        Flag("--end", "source.end_s", "end here", "SECONDS"),
        Flag("--stride", "source.stride", "take every Nth frame", "N"),
        Flag("--max-frames", "source.max_frames", "end after so many frames", "N"),
        Flag("--loop", "source.loop", "begin again at the end, for ever"),
    ),
    "network": (
        Flag("--model", "model", "weights by name or file, or an engine's folder", "NAME"),
        Flag("--backend", "engine.backend", "auto, or the name of a backend", "NAME"),
        Flag("--precision", "engine.precision", "auto, fp32, fp16, bf16 or int8", "P"),
        Flag("--device", "engine.device", "auto, cpu, cuda or cuda:N", "DEVICE"),
        Flag("--engine-size", "engine.size_wh", "size of the network's input", "WxH", read=_size),
        Flag("--engines", "engine.engines", "folder of built engines", "FOLDER"),
        Flag("--wait-for-engine", "engine.build", "build the engine before the stream begins",
             value="wait"),
        Flag("--no-build", "engine.build", "run what there is, build nothing", value="never"),
        Flag("--fit", "fit", "auto, stretch, letterbox or crop", "HOW"),
        Flag("--priority", "engine.priority", "auto, latency or throughput", "WHAT"),
    ),
    "picture": (
        Flag("--mode", "overlay.mode", "overlay, mask, side-by-side or picture", "MODE"),
        Flag("--alpha", "overlay.alpha", "how strong the colours are, 0 to 1", "A"),
        Flag("--palette", "overlay.palette", "classes or colour-blind", "NAME"),
        Flag("--classes", "overlay.classes", "colour only these", "A,B", read=_names),
        Flag("--hide", "overlay.hide", "don't colour these", "A,B", read=_names),
        Flag("--outlines", "overlay.outlines", "draw the classes' borders"),
        Flag("--instances", "overlay.instances", "draw a line around each car, person, …"),
        Flag("--no-legend", "overlay.legend", "without names and shares", value=False),
        Flag("--no-hud", "overlay.hud", "without rate, age and drops", value=False),
        Flag("--edges", "postprocess.edges", "smooth or nearest", "HOW"),
        Flag("--smooth", "postprocess.smooth", "smooth the classes over time, 0 to 1", "S"),
        Flag("--dense-crf", "postprocess.dense_crf", "class borders on the picture's edges; slow",
             value={}),
        Flag("--hood", "postprocess.hood", "mask of the own bonnet: a picture, or auto", "FILE"),
    ),
    "outputs": (
        Flag("-o --output", "outputs", "FILE.mp4, .mkv, .mov, window, FOLDER/%%06d.png, null; "
             "several are possible", "WHERE", many=True),
        Flag("--masks", "masks", "class ids without loss: FILE.mkv or a folder", "WHERE"),
        Flag("--stats", "stats", "a JSON line for each frame", "FILE"),
        Flag("--encoder", "recording.encoder", "auto, libx264, h264_nvenc, …", "NAME"),
        Flag("--crf", "recording.crf", "quality of the recording, 0 (best) to 51", "N"),
        Flag("--no-audio", "recording.audio", "leave the source's sound out", value=False),
        Flag("--overwrite", "overwrite", "replace outputs that exist"),
        Flag("--policy", "policy", "auto, block (every frame) or drop_oldest (the newest)", "P"),
    ),
}  # fmt: skip


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the source and every flag; what isn't given leaves no trace in the arguments."""
    parser.add_argument(
        "source",
        nargs="?",
        default=argparse.SUPPRESS,
        metavar="SOURCE",
        help="demo, demo:SEED, a video, a picture, a folder, a quoted pattern, a camera (0, "
        "/dev/video0), csi://0, gst://PIPELINE, or rtsp:// http:// rtmp:// srt:// udp:// tcp://",
    )
    for title, flags in GROUPS.items():
        group = parser.add_argument_group(title)
        for flag in flags:
            _add(group, flag)


def _add(group: argparse._ArgumentGroup, flag: Flag) -> None:
    names = flag.name.split()
    common: dict[str, Any] = {"dest": flag.key, "default": argparse.SUPPRESS, "help": flag.help}
    if flag.metavar:
        action = "append" if flag.many else "store"
        group.add_argument(*names, action=action, metavar=flag.metavar, type=flag.read, **common)
    else:
        group.add_argument(*names, action="store_const", const=flag.value, **common)


def read_config(arguments: argparse.Namespace) -> StreamConfig:
    """Return the run: the file of --config, over it the flags, over those --set.

    Raises:
        ConfigError: the file, a flag or an override can't be used.
    """
    from rtseg.config import apply_overrides, load_yaml, set_keys, validate
    from rtseg.stream.settings import StreamConfig

    given = vars(arguments)
    keys = [flag.key for flags in GROUPS.values() for flag in flags]
    changes = {key: given[key] for key in keys if key in given}
    if "source" in given:
        changes["source.uri"] = given["source"]
    values = load_yaml(Path(arguments.config)) if arguments.config else {}
    values = apply_overrides(set_keys(values, changes), arguments.set)
    return validate(StreamConfig, values, arguments.config or "the command line")
