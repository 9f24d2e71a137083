"""The weights that a training starts from: drawn, or another training's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from rtseg.classes import ClassSet
from rtseg.errors import ConfigError
from rtseg.networks import SegmentationNetwork, build_network
from rtseg.networks.normalisation import Normalisation
from rtseg.networks.trained import TrainedNetwork, load_trained
from rtseg.training.settings import InitConfig, TrainConfig, weights_path


@dataclass(frozen=True, slots=True)
class Start:
    """A network before its first step.

    Args:
        network: on the CPU.
        normalisation: what its pictures go through.
        fresh: names of the parameters that are drawn although a file was loaded.
        origin: where the weights are from, for people.
    """

    network: SegmentationNetwork
    normalisation: Normalisation
    fresh: frozenset[str]
    origin: str


def initial_network(config: TrainConfig, classes: ClassSet, config_dir: Path) -> Start:
    """Return the network with drawn weights, or with those of ``init``.

    Seeds torch's generator, so that the same configuration draws the same weights.

    Raises:
        WeightsError: the file can't be read or doesn't fit.
        ConfigError: the file is for another network or other classes, and no new head is asked for;
            or a binary network is asked for, but there are not two classes.
    """
    num_outputs = config.network.num_outputs(classes)
    torch.manual_seed(config.train.seed)
    if config.init is None:
        network = build_network(config.network.name, num_outputs)
        return Start(network, Normalisation(), frozenset(), "drawn afresh")
    trained = load_trained(weights_path(config.init.weights, config_dir), training_heads=True)
    if config.init.encoder_only:
        return _with_encoder(config, config.init, trained, num_outputs)
    _check(config, config.init, trained, classes)
    return _taken_over(config.init, trained, num_outputs)


def _check(
    config: TrainConfig, init: InitConfig, trained: TrainedNetwork, classes: ClassSet
) -> None:
    card = trained.card
    if card.network != config.network.name:
        raise ConfigError(
            f"init.weights {init.weights} is a {card.network!r}, network.name is "
            f"{config.network.name!r}; the two must agree"
        )
    if card.classes.names != classes.names and not init.new_head:
        raise ConfigError(
            f"init.weights {init.weights} knows the {len(card.classes)} classes of "
            f"{card.classes.name!r}, the data has the {len(classes)} of {classes.name!r}; set "
            "init.new_head: true to start the layers that end in classes afresh"
        )
    if (card.threshold is not None) != config.network.binary and not init.new_head:
        raise ConfigError(
            f"init.weights {init.weights} has {card.num_outputs} channels for its classes, "
            f"network.binary is {str(config.network.binary).lower()}: change that, or set "
            "init.new_head: true"
        )


def _taken_over(init: InitConfig, trained: TrainedNetwork, num_outputs: int) -> Start:
    network, card = trained.network.train(), trained.card
    heads: set[str] = set()
    if init.new_head:
        old = network.state_dict()
        network = build_network(card.network, num_outputs)
        heads = _keys_with_classes(card.network, num_outputs)
        state = network.state_dict()
        network.load_state_dict(state | {key: old[key] for key in old if key not in heads})
    modules = network.training_modules
    fresh = {
        name
        for name, _ in network.named_parameters()
        if name in heads or name.split(".", 1)[0] in modules
    }
    origin = f"{card.name} ({init.weights})" + (", new head" if init.new_head else "")
    return Start(network, card.normalisation, frozenset(fresh), origin)


def _with_encoder(
    config: TrainConfig, init: InitConfig, trained: TrainedNetwork, num_outputs: int
) -> Start:
    """Draw a network and put another one's encoder into it.

    Raises:
        ConfigError: the encoders are not the same.
    """
    network = build_network(config.network.name, num_outputs)
    own = {key: value for key, value in network.state_dict().items() if _of_encoder(key)}
    theirs = {key: value for key, value in trained.network.state_dict().items() if _of_encoder(key)}
    shapes = ({key: value.shape for key, value in each.items()} for each in (own, theirs))
    if not own or next(shapes) != next(shapes):
        raise ConfigError(
            f"init.weights {init.weights} is a {trained.card.network!r}, whose encoder is not that "
            f"of {config.network.name!r}: take weights of a network with the same encoder, or "
            "leave init out"
        )
    network.load_state_dict(network.state_dict() | theirs)
    fresh = {name for name, _ in network.named_parameters() if not _of_encoder(name)}
    origin = f"the encoder of {trained.card.name} ({init.weights})"
    return Start(network, trained.card.normalisation, frozenset(fresh), origin)


def _of_encoder(key: str) -> bool:
    return key.startswith("encoder.")


def _keys_with_classes(name: str, num_classes: int) -> set[str]:
    """Return the names of all tensors whose shape depends on the number of classes."""
    with torch.device("meta"):
        here = build_network(name, num_classes).state_dict()
        wider = build_network(name, num_classes + 1).state_dict()
    return {key for key in here if here[key].shape != wider[key].shape}
