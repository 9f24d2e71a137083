"""``rtseg export``: from trained weights to an engine that is proven to agree with them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtseg.cli._engine_arguments import add_engines_argument, wh_argument

if TYPE_CHECKING:
    from rtseg.backends.engine_folder import EngineFolder

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

DESCRIPTION = """\
Builds an engine from trained weights, compares it with the network in fp32 on frames of the demo
drive (and of --compare), and keeps it only if they agree: 99.99 % of the pixels in fp32, 99.5 % in
fp16 and bf16, 97 % and at most one point of mean IoU in int8. The comparison is in the engine's
folder, the worst frame as a picture beside it.

    rtseg export linknet-camvid                               the best engine for this machine
    rtseg export linknet-camvid --backend tensorrt --precision fp16 --size 512x288
    rtseg export runs/mine --precision int8 --calibrate dash.mp4

An engine that is there already is not built again. The status is 1 where engine and network
disagree; the report stays.
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command ``export``."""
    parser = subparsers.add_parser(
        "export",
        help="build an engine from trained weights, and prove it",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "weights",
        metavar="WEIGHTS",
        help="a shipped name such as linknet-camvid, a .safetensors file, or a training's folder",
    )
    parser.add_argument(
        "--backend", default="auto", help="auto, tensorrt, openvino, inductor, eager"
    )
    parser.add_argument("--precision", default="auto", help="auto, fp32, fp16, bf16 or int8")
    parser.add_argument(
        "--size",
        type=wh_argument,
        metavar="WIDTHxHEIGHT",
        help="of the engine's input, pixels; by default what the network was trained for",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument(
        "--threads",
        default=0,
        type=int,
        metavar="N",
        help="cores per call, for which inductor compiles; 1 suits films; by default all",
    )
    parser.add_argument("--output", default="labels", help="labels, or scores for smoothing")
    parser.add_argument("--batch", default=1, type=int, metavar="N", help="pictures per call")
    parser.add_argument(
        "--fit", default="stretch", help="stretch, letterbox or crop, for the comparison"
    )
    _add_picture_arguments(parser)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an argument of the backend's build, such as optimization_level=5",
    )
    parser.add_argument("--rebuild", action="store_true", help="build it even where it exists")
    parser.add_argument(
        "--unproven",
        action="store_true",
        help="build an engine that can't run here, and so is not compared here",
    )
    add_engines_argument(parser)
    parser.set_defaults(run=run)


def _add_picture_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--calibrate",
        type=Path,
        metavar="SOURCE",
        help="folder of pictures or film that int8 measures its ranges on",
    )
    parser.add_argument(
        "--compare",
        metavar="SOURCE",
        help="also compare on the first frames of this film or folder of pictures",
    )
    parser.add_argument(
        "--compare-frames", type=int, default=60, metavar="N", help="so many (default: 60)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Export; 1 where engine and network disagree."""
    from rich.console import Console

    from rtseg.cli._exporting import export_engine, failed_reports, telling
    from rtseg.config import apply_overrides, validate
    from rtseg.errors import ParityError
    from rtseg.export.settings import ExportConfig

    config = validate(
        ExportConfig,
        _values(arguments) | {"arguments": apply_overrides({}, arguments.set)},
        "rtseg export",
    )
    try:
        with telling(Console(stderr=True)) as tell:
            folder = export_engine(config, arguments.weights, tell, arguments.rebuild)
    except ParityError as error:
        sys.stderr.write(f"rtseg: {failed_reports(error, config)}\n")
        return 1
    sys.stdout.write(f"{summary(folder)}\n")
    return 0


def summary(folder: EngineFolder) -> str:
    """Return the engine's path and figures, one line."""
    manifest = folder.manifest
    parts = [str(folder.path)]
    if manifest.parity is None:
        parts.append("not compared with its network: run 'rtseg selftest' where it is to run")
    else:
        parts.append(f"{100 * manifest.parity.pixel_agreement:.3f} % as in fp32")
    if manifest.latency is not None:
        parts.append(f"{manifest.latency.p50_ms:.1f} ms a call")
    return ", ".join(parts)


def _values(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "backend": arguments.backend,
        "precision": arguments.precision,
        "size_wh": arguments.size,
        "output": arguments.output,
        "batch": arguments.batch,
        "fit": arguments.fit,
        "device": arguments.device,
        "threads": arguments.threads,
        "calibrate": arguments.calibrate,
        "compare": arguments.compare,
        "compare_frames": arguments.compare_frames,
        "engines": arguments.engines,
        "unproven": arguments.unproven,
    }
