"""rtseg train: train a network as a YAML file says."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

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
    """Train; return 0, or 128 + the number of the signal that ended it early."""
    from rtseg.config import load_config
    from rtseg.training.run import train
    from rtseg.training.settings import TrainConfig

    config = load_config(TrainConfig, arguments.config, arguments.overrides)
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
    return 0
