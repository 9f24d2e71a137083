"""rtseg train: train a network as a YAML file says."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtseg.export.settings import ExportConfig
    from rtseg.training.settings import TrainConfig

log = logging.getLogger(__name__)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "train",
        help="train a network as a YAML file says",
        description="Train a network. One file is one complete run; --set changes single values. "
        "The output folder gets the weights (best.safetensors, final.safetensors), the state to "
        "resume from (last.pt), every step's loss (steps.csv), metrics.json, curves, pictures and "
        "a model card. For several GPUs: torchrun --nproc-per-node N tools/train.py …",
    )
    parser.add_argument("config", type=Path, help="such as configs/train/linknet_camvid.yaml")
    parser.add_argument(
        "--set",
        dest="overrides",
        metavar="KEY.PATH=VALUE",
        action="append",
        default=[],
        help="change one value of the file, such as train.epochs=1; can be given again",
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="where to write; by default runs/NAME"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on from the output folder's last.pt; begin if there is none yet, so that the "
        "same command can be started again and again",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train and export; 1 where an engine disagrees, 128 + the signal that ended it early."""
    from rtseg.config import load_config
    from rtseg.training.run import train
    from rtseg.training.settings import TrainConfig

    config = load_config(TrainConfig, arguments.config, arguments.overrides)
    exports = _exports(config, arguments.config)
    output: Path = arguments.output or Path("runs") / config.name
    result = train(
        config, arguments.config.resolve().parent, output, arguments.resume, arguments.device
    )
    if not result.complete:
        sys.stderr.write(f"rtseg: {result.reason}; saved, --resume goes on\n")
        return 128 + result.signal
    for weights, scores in result.metrics.get("weights", {}).items():
        for data, score in scores.items():
            mean_iou = score["metrics"]["mean_iou"] or 0.0
            log.info("%s on %s: mIoU %.2f %%", weights, data, 100 * mean_iou)
    if result.metrics:
        log.info("%s; the results are in %s", result.reason, output)
    # Of several processes the main one alone has the metrics, and builds engines.
    return _export_all(exports, output) if result.metrics else 0


def _exports(config: TrainConfig, path: Path) -> list[ExportConfig]:
    """Check the engines that are asked for, before the hours of training and not after them."""
    if not config.export:
        return []
    from rtseg.config import validate
    from rtseg.export.settings import ExportConfig

    exports = []
    for position, values in enumerate(config.export):
        export = validate(ExportConfig, values, f"{path}: export.{position}")
        exports.append(export.beside(path.resolve().parent))
    return exports


def _export_all(exports: list[ExportConfig], output: Path) -> int:
    """Build every engine; return 1 where one doesn't agree with its network."""
    if not exports:
        return 0
    from rich.console import Console

    from rtseg.cli._exporting import export_engine, failed_reports, telling
    from rtseg.errors import ParityError

    status = 0
    for export in exports:
        try:
            with telling(Console(stderr=True)) as tell:
                folder = export_engine(export, output, tell)
        except ParityError as error:
            sys.stderr.write(f"rtseg: {failed_reports(error, export)}\n")
            status = 1
        else:
            log.info("engine: %s", folder.path)
    return status
