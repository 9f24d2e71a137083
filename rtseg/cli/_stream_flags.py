"""The flags of ``rtseg stream`` and the configuration keys that they set."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtseg.errors import ConfigError

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


def _sizes(text: str) -> list[Any]:
    return [_size(size) for size in _names(text)]


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
        Flag("--reconnect-limit", "source.reconnect.limit",
             "give a lost camera up after N failed attempts in a row; 0: at the first loss", "N"),
        Flag("--wait-for-source", "source.wait", "wait for a camera that can't be opened at first"),
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
        Flag("--target-fps", "engine.target_fps", "keep this rate, by smaller sizes", "N"),
        Flag("--engine-sizes", "engine.sizes_wh", "sizes that it chooses among", "WxH,WxH",
             read=_sizes),
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
        Flag("-o --output", "outputs", "FILE.mp4, .mkv, .mov, window, "
             "http://127.0.0.1:8080 (a page for browsers), FOLDER/%%06d.png, null; several are "
             "possible", "WHERE", many=True),
        Flag("--masks", "masks", "class ids without loss: FILE.mkv or a folder", "WHERE"),
        Flag("--stats", "stats", "a JSON line for each frame", "FILE"),
        Flag("--mosaic", "mosaic", "a recording of several cameras in one picture", "FILE"),
        Flag("--encoder", "recording.encoder", "auto, libx264, h264_nvenc, …", "NAME"),
        Flag("--crf", "recording.crf", "quality of the recording, 0 (best) to 51", "N"),
        Flag("--segment", "recording.segment_s", "record in files of so many seconds", "SECONDS"),
        Flag("--keep", "recording.keep", "delete the oldest segments beyond so much: 20GB", "SIZE"),
        Flag("--keep-hours", "recording.keep_hours", "delete segments older than that", "HOURS"),
        Flag("--record-raw", "recording.raw", "keep the camera's own stream as well"),
        Flag("--no-audio", "recording.audio", "leave the source's sound out", value=False),
        Flag("--token", "browser.token", "what who opens the page must know", "TEXT"),
        Flag("--overwrite", "overwrite", "replace outputs that exist"),
        Flag("--policy", "policy", "auto, block (every frame) or drop_oldest (the newest)", "P"),
    ),
}  # fmt: skip


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the source and every flag; what isn't given leaves no trace in the arguments."""
    parser.add_argument(
        "source",
        nargs="*",
        default=argparse.SUPPRESS,
        metavar="SOURCE",
        help="one, or several that share the engine: demo, demo:SEED, a video, a picture, a "
        "folder, a quoted pattern, a camera (0, /dev/video0), csi://0, gst://PIPELINE, or "
        "rtsp:// http:// rtmp:// srt:// udp:// tcp://",
    )
    parser.add_argument(
        "--source-file",
        metavar="FILE",
        help="read the sources from a file, one a line: their passwords don't show in the list of "
        "processes",
    )
    for title, flags in GROUPS.items():
        group = parser.add_argument_group(title)
        for flag in flags:
            _add(group, flag)


def add_config_flags(group: argparse._ArgumentGroup) -> None:
    """Add the flags that name a file of settings and set any key over it."""
    group.add_argument("--config", metavar="FILE", help="a file as in configs/stream/")
    group.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="set any key of it"
    )


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
    values = load_yaml(Path(arguments.config)) if arguments.config else {}
    values = set_keys(values, {**changes, **_sources(_given_sources(given), values, changes)})
    values = apply_overrides(values, arguments.set)
    return validate(StreamConfig, values, arguments.config or "the command line")


def _given_sources(given: Mapping[str, Any]) -> list[str]:
    """Return the sources of the command line and of ``--source-file``."""
    uris = list(given.get("source", []))
    if not (path := given.get("source_file")):
        return uris
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConfigError(f"can't read the sources in {path}: {reason}") from None
    found = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not found:
        raise ConfigError(f"{path} names no source; write one a line, such as rtsp://camera/1")
    return [*uris, *found]


def _sources(
    uris: list[str], values: Mapping[str, Any], changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the keys that say which sources are read.

    One or several on the command line replace those of the file; without any, what is set for a
    source is set for each camera of the file.
    """
    if len(uris) == 1:
        return {"source.uri": uris[0], "cameras": []}
    if uris:
        return {"cameras": list(uris)}
    cameras = values.get("cameras")
    if not cameras or not isinstance(cameras, list):
        return {}
    own = {key[len("source.") :]: v for key, v in changes.items() if key.startswith("source.")}
    given = [{"uri": one} if isinstance(one, str | int) else one for one in cameras]
    return {"cameras": [{**one, **own} if isinstance(one, dict) else one for one in given]}
