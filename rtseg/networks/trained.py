"""Trained networks as files: safetensors with a card that says what the weights are.

One file is one deployed network. Kernels are float16; vectors (biases, batch normalisation) stay
float32, as running variances leave float16's range. The metadata key ``rtseg`` holds the card as
JSON. Nothing in a file is executed, and nothing in it is believed before it is checked.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from safetensors.torch import save as save_to_bytes
from torch import Tensor, nn

from rtseg.classes import ClassSet
from rtseg.errors import WeightsError, closest
from rtseg.networks.binary import NUM_CLASSES as NUM_BINARY_CLASSES
from rtseg.networks.network import NETWORKS, SegmentationNetwork, build_network
from rtseg.networks.normalisation import Normalisation
from rtseg.networks.padding import Padding
from rtseg.weights import WEIGHTS_DIR
from rtseg.whole_file import write_whole_file

FORMAT_VERSION = 1
"""Version of the card and of the tensors' layout; a file of another version is refused."""
CARD_KEY = "rtseg"
"""The metadata key of the card."""
BEST_WEIGHTS = "best.safetensors"
"""The file in a training's folder that holds its best weights."""
LARGEST_INPUT_PX = 16384
"""No card may ask for a longer side."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What is known of one set of weights.

    Args:
        name: name of the weights, such as ``"linknet-camvid"``.
        network: the registered network that they belong to.
        classes: what the logits stand for.
        input_hw: height and width in pixels of the pictures that the network was trained for; the
            crops of the training may be smaller.
        normalisation: what turns pixels into the network's input.
        training: how they were made: data, epochs, seed, batch, hardware, minutes, recipe, …
        metrics: measured figures by ``"split/metric"``, such as ``"test/mean_iou"``; shares, 0–1.
        licence: what the weights may be used for.
        format_version: version of the file.
        threshold: of a binary network, which has one channel for two classes: the probability
            above which a pixel is the second class. None: one channel for each class.
        padding: how pictures of sizes that the network can't take are made larger.

    Raises:
        WeightsError: the input size, the normalisation or the threshold is out of range, or there
            is a threshold but not two classes.
    """

    name: str
    network: str
    classes: ClassSet
    input_hw: tuple[int, int]
    normalisation: Normalisation = field(default_factory=Normalisation)
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    licence: str = ""
    format_version: int = FORMAT_VERSION
    threshold: float | None = None
    padding: Padding = "mean"

    def __post_init__(self) -> None:
        if not all(1 <= size <= LARGEST_INPUT_PX for size in self.input_hw):
            raise WeightsError(
                f"the card's input size is {self.input_hw[0]}x{self.input_hw[1]}; "
                f"1 to {LARGEST_INPUT_PX} pixels are allowed"
            )
        mean, std = self.normalisation.mean_rgb, self.normalisation.std_rgb
        if not all(math.isfinite(value) for value in (*mean, *std)) or min(std) <= 0:
            raise WeightsError(
                f"the card's normalisation is mean {mean}, deviation {std}; "
                "finite means and positive deviations are needed"
            )
        self._check_threshold()

    def _check_threshold(self) -> None:
        if self.threshold is None:
            return
        if not 0 < self.threshold < 1:
            raise WeightsError(
                f"the card's threshold is {self.threshold}; a probability between 0 and 1 is needed"
            )
        if len(self.classes) != NUM_BINARY_CLASSES:
            raise WeightsError(
                f"the card has a threshold, which parts two classes, but {len(self.classes)} "
                f"classes of {self.classes.name!r}"
            )

    @property
    def num_outputs(self) -> int:
        """Channels of the network's logits: one for each class, or one in all if it is binary."""
        return len(self.classes) if self.threshold is None else 1

    def to_json(self) -> str:
        """Return the card as JSON; metrics that are not finite (a class that never occurs) go."""
        values = asdict(self)
        values["metrics"] = {
            name: value for name, value in self.metrics.items() if math.isfinite(value)
        }
        return json.dumps(values, indent=1, default=_plain, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, origin: str) -> ModelCard:
        """Read what `to_json` wrote.

        Args:
            origin: where the text came from, for messages.

        Raises:
            WeightsError: the text is no card, of another version, or for an unknown network.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise WeightsError(f"{origin}: its card is not valid JSON: {error}") from None
        if not isinstance(values, dict):
            raise WeightsError(
                f"{origin}: its card is a {type(values).__name__}; an object is needed"
            )
        version = values.get("format_version")
        if version != FORMAT_VERSION:
            raise WeightsError(
                f"{origin}: its format version is {version!r}, this rtseg reads {FORMAT_VERSION}; "
                "install the rtseg that wrote the file, or train the network again"
            )
        try:
            card = _CARD.validate_json(text, strict=True)
        except ValidationError as error:
            problems = "; ".join(map(_describe, error.errors()))
            raise WeightsError(f"{origin}: its card can't be used: {problems}") from None
        if card.network not in NETWORKS:
            raise WeightsError(
                f"{origin}: made for the network {card.network!r}, which this rtseg doesn't have."
                f"{closest(card.network, NETWORKS)} Known: {', '.join(sorted(NETWORKS))}"
            )
        return card


_CARD = TypeAdapter(ModelCard)


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """A network with its trained weights, in evaluation mode, and their card."""

    network: SegmentationNetwork
    card: ModelCard


def save_trained(path: Path, network: SegmentationNetwork, card: ModelCard) -> None:
    """Write the deployed network, without its training heads, and its card to `path`.

    The file appears whole or not at all. The network is left as it is.

    Raises:
        WeightsError: the card belongs to another network or class count, a weight is not finite,
            or the file can't be written.
    """
    if card.network not in NETWORKS:
        raise WeightsError(
            f"the card names the network {card.network!r}, which is not registered; "
            f"known: {', '.join(sorted(NETWORKS))}"
        )
    if card.num_outputs != network.num_classes:
        raise WeightsError(
            f"the card has {len(card.classes)} classes, the network {network.num_classes}"
            + (", where a card with a threshold needs 1" if card.threshold is not None else "")
        )
    state = {
        key: tensor
        for key, tensor in network.state_dict().items()
        if not _of_training(network, key)
    }
    if broken := _not_finite(state):
        raise WeightsError(f"not saved to {path}: not finite: {', '.join(broken)}")
    tensors = {key: _packed(tensor) for key, tensor in state.items()}
    _write(path, save_to_bytes(tensors, {CARD_KEY: card.to_json()}))


def load_trained(name_or_path: str | Path, *, training_heads: bool = False) -> TrainedNetwork:
    """Load a shipped network by name, or any trained network by path; on the CPU, float32.

    Args:
        name_or_path: a name from `shipped_weights`, or the path of a file or a training's folder.
        training_heads: keep the heads that only training uses, freshly initialised.

    Raises:
        WeightsError: there is no such file, or it is none of ours, damaged, or doesn't fit.
    """
    path = weights_file(name_or_path)
    card = read_card(path)
    network = build_network(card.network, card.num_outputs)
    state = _read_tensors(path)
    if training_heads:
        fresh = network.state_dict()
        state = {key: fresh[key] for key in fresh if _of_training(network, key)} | state
    else:
        network.remove_training_heads(keep_instances=True)
    load_state_strict(network, state, f"{path} ({card.network}, {len(card.classes)} classes)")
    return TrainedNetwork(network.eval(), card)


def read_card(name_or_path: str | Path) -> ModelCard:
    """Read the card of a shipped or saved network without reading its weights.

    Raises:
        WeightsError: there is no such file, or it is none of ours or damaged.
    """
    path = weights_file(name_or_path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from None
    if CARD_KEY not in metadata:
        raise WeightsError(
            f"{path} is a safetensors file without rtseg's card (metadata key {CARD_KEY!r}); "
            "only files that rtseg wrote can be loaded"
        )
    return ModelCard.from_json(metadata[CARD_KEY], str(path))


def shipped_weights() -> dict[str, Path]:
    """Return the weights that come with the package: name -> file, sorted by name."""
    return {path.stem: path for path in sorted(WEIGHTS_DIR.glob("*.safetensors"))}


def load_state_strict(network: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Copy `state` into the network; every key must fit.

    Args:
        origin: where the state came from, for the message.

    Raises:
        WeightsError: lists every missing, unexpected, mis-shaped and not finite key. The network
            is then unchanged.
    """
    own = network.state_dict()
    problems = {
        "missing": [key for key in own if key not in state],
        "unexpected": [_printable(key) for key in state if key not in own],
        "wrong": [
            f"{key} is {_kind(state[key])}, needed {_kind(tensor)}"
            for key, tensor in own.items()
            if key in state and _kind(state[key]) != _kind(tensor)
        ],
        "not finite": _not_finite(state),
    }
    listed = "; ".join(f"{what}: {', '.join(keys)}" for what, keys in problems.items() if keys)
    if listed:
        raise WeightsError(f"{origin} doesn't fit {type(network).__name__}. {listed}")
    network.load_state_dict(dict(state))


def weights_file(name_or_path: str | Path) -> Path:
    """Return the file of a shipped name, of a path, or of a training's folder (its best weights).

    Raises:
        WeightsError: there is no such file.
    """
    shipped = shipped_weights()
    path = shipped.get(str(name_or_path), Path(name_or_path))
    if path.is_file():
        return path
    if path.is_dir():
        if (path / BEST_WEIGHTS).is_file():
            return path / BEST_WEIGHTS
        raise WeightsError(f"the folder {path} has no {BEST_WEIGHTS}; name a weights file")
    if path.exists():
        raise WeightsError(f"{path} is no regular file; the path of a .safetensors file is needed")
    raise WeightsError(
        f"no weights {str(name_or_path)!r}: neither a file nor a shipped name."
        f"{closest(path.stem, shipped)} Shipped: {', '.join(shipped) or 'none'}"
    )


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_file(path)
        return tensors
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError) as error:
        raise _unreadable(path, error) from None  # damaged, or of a type that torch lacks


def _unreadable(path: Path, error: Exception) -> WeightsError:
    return WeightsError(
        f"{path} can't be read as safetensors ({_printable(str(error))}); "
        "it may be damaged or cut short: fetch or train it again"
    )


def _write(path: Path, content: bytes) -> None:
    """Write a file that is never seen half written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole_file(path, lambda file: file.write(content))
    except OSError as error:
        raise WeightsError(f"can't write {path}: {error.strerror or error}") from error


def _of_training(network: SegmentationNetwork, key: str) -> bool:
    return key.split(".", 1)[0] in network.training_modules


def _packed(tensor: Tensor) -> Tensor:
    """Return a contiguous CPU copy: kernels in float16 where that holds them, the rest as it is."""
    tensor = tensor.detach().cpu().contiguous().clone()
    if not tensor.is_floating_point():
        return tensor
    tensor = tensor.float()
    half = tensor.half()
    # A kernel fits unless its largest value overflows or its rounding shows beside that value.
    fits = (half.float() - tensor).abs().max() <= tensor.abs().max() / 1024
    return half if tensor.ndim > 1 and bool(fits) else tensor


def _kind(tensor: Tensor) -> str:
    """Describe what must agree between a stored and a wanted tensor: its shape, and real or not."""
    number = "float" if tensor.is_floating_point() else str(tensor.dtype).removeprefix("torch.")
    return f"{number} {list(tensor.shape)}"


def _not_finite(state: Mapping[str, Tensor]) -> list[str]:
    return [
        _printable(key)
        for key, tensor in state.items()
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor.float()).all())
    ]


def _plain(value: Any) -> Any:
    """Bring what JSON doesn't know (paths, numpy scalars) into a form that it knows."""
    return value.item() if hasattr(value, "item") else str(value)


def _describe(problem: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in problem["loc"]) or "the card"
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{_printable(where)}: {message[:1].lower()}{message[1:]}"


def _printable(text: str) -> str:
    """Keep what a file says from steering the terminal that a message is shown on."""
    return text if text.isprintable() else ascii(text)
