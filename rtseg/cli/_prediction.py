"""The arguments that every command which runs trained weights shares, and what they ask for."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtseg.networks.trained import ModelCard
    from rtseg.training.predictor import Predictor

PRECISIONS = ("auto", "fp32", "bf16")
"""As in `rtseg.device`, which brings torch."""


def add_prediction_arguments(parser: argparse.ArgumentParser, precision: str) -> None:
    """Add WEIGHTS, --device, --precision (with its default) and --flip."""
    parser.add_argument(
        "weights",
        metavar="WEIGHTS",
        help="a shipped name such as linknet-camvid, a .safetensors file, or a training's folder",
    )
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)"
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=precision,
        help="auto: bf16 where the device computes it faster (default: %(default)s)",
    )
    parser.add_argument(
        "--flip", action="store_true", help="average the logits of picture and mirror image"
    )


def open_predictor(arguments: argparse.Namespace) -> tuple[Predictor, ModelCard]:
    """Load the weights of `add_prediction_arguments` onto their device."""
    import torch

    from rtseg.device import pick_device
    from rtseg.networks.trained import load_trained
    from rtseg.training.predictor import Predictor

    trained = load_trained(arguments.weights)
    device = pick_device(arguments.device)
    network = trained.network.to(device)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    card = trained.card
    predictor = Predictor(
        network, card.normalisation, device, arguments.precision, arguments.flip,
        threshold=card.threshold, padding=card.padding,
    )  # fmt: skip
    return predictor, card


def size_argument(text: str) -> tuple[int, int]:
    """Read ``HxW`` as height and width; for argparse."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is no HEIGHTxWIDTH in pixels, such as 360x480")
    return int(parts[0]), int(parts[1])


def positive_argument(text: str) -> int:
    """Read a whole number of 1 or more; for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 1 or more")
    return int(text)
