"""What is known of networks and weights, as pages: the work of ``rtseg networks``."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from rtseg.errors import UnknownNameError, WeightsError, closest
from rtseg.networks import NETWORKS, NetworkCard, padded_hw
from rtseg.networks.counting import CONVENTION
from rtseg.networks.families import family_of
from rtseg.networks.trained import ModelCard, read_card, shipped_weights

PIPED_WIDTH = 100
"""Columns of text where the output is no terminal; the list of networks is never squeezed there."""


def run(arguments: argparse.Namespace) -> int:
    """Print the table or one card."""
    weights, damaged = _shipped()
    document: Any
    pages: list[Table | Text]
    if arguments.name is None:
        listings = [Listing.of(name, weights) for name in NETWORKS]
        document = {"convention": CONVENTION, "networks": [each.as_json() for each in listings]}
        pages = [_table(listings), _footnote(listings)]
    elif arguments.name in NETWORKS:
        listing = Listing.of(arguments.name, weights)
        document = listing.as_json()
        pages = [_network_page(listing), *map(_weights_page, listing.weights)]
    else:
        card = _weights_card(arguments.name)
        document = json.loads(card.to_json())
        pages = [_weights_page(card)]
    if arguments.json:
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    else:
        _print(pages)
    for problem in damaged:
        sys.stderr.write(f"rtseg: left out: {problem}\n")
    return 0


@dataclass(frozen=True, slots=True)
class Listing:
    """One network with what is known of it, read from cards and classes: nothing is built.

    Args:
        name: its registered name.
        card: its card.
        size_multiple: heights and widths must be multiples of this, in pixels.
        min_size: the smallest height and width in pixels.
        weights: cards of its shipped weights.
    """

    name: str
    card: NetworkCard
    size_multiple: int
    min_size: int
    weights: tuple[ModelCard, ...]

    @classmethod
    def of(cls, name: str, weights: Iterable[ModelCard]) -> Listing:
        """Gather what is known of the network registered as `name`."""
        mine = tuple(card for card in weights if card.network == name)
        family = family_of(NETWORKS[name])
        smallest, _ = padded_hw((1, 1), family.size_multiple, family.min_size)
        return cls(name, NETWORKS[name].card, family.size_multiple, smallest, mine)

    def as_json(self) -> dict[str, Any]:
        """Return everything in a form that JSON can hold."""
        sizes = {"size_multiple": self.size_multiple, "min_size": self.min_size}
        weights = [json.loads(card.to_json()) for card in self.weights]
        return {"name": self.name} | asdict(self.card) | sizes | {"weights": weights}


def mean_ious(card: ModelCard) -> dict[str, float]:
    """Return the mean IoU of every split that the card tells of, 0–1."""
    found = {}
    for key, value in card.metrics.items():
        split, _, metric = key.rpartition("/")
        if metric == "mean_iou":
            found[split or "mIoU"] = value
    return found


def _shipped() -> tuple[list[ModelCard], list[str]]:
    """Return the cards of the shipped weights, and why some can't be read."""
    cards, problems = [], []
    for path in shipped_weights().values():
        try:
            cards.append(read_card(path))
        except WeightsError as error:
            problems.append(" ".join(str(error).split()))
    return cards, problems


def _weights_card(name: str) -> ModelCard:
    try:
        return read_card(name)
    except WeightsError as error:
        known = [*NETWORKS, *shipped_weights()]
        if name.endswith(".safetensors") or "/" in name or name in known:
            raise error
        raise UnknownNameError(
            f"no network and no weights are called {name!r}.{closest(name, known)} "
            f"Known: {', '.join(sorted(known))}"
        ) from None


def _table(listings: list[Listing]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("network", no_wrap=True)
    table.add_column("M par.", justify="right", no_wrap=True)
    table.add_column("GMACs", justify="right", no_wrap=True)
    table.add_column("input", no_wrap=True)
    table.add_column("weights: mean IoU, %", overflow="fold")
    usual = _usual_count(listings)
    for listing in listings:
        card, multiple = listing.card, listing.size_multiple
        at = "" if _count_of(card) == usual else f" at {_counted_at(_count_of(card))}"
        table.add_row(
            listing.name,
            f"{card.parameters / 1e6:.2f}",
            f"{card.gmacs:.2f}{at}",
            f"≥ {listing.min_size}" + (f", n·{multiple}" if multiple > 1 else ""),
            Text("\n").join(map(_accuracy, listing.weights)),
        )
    return table


def _footnote(listings: list[Listing]) -> Text:
    return Text(
        "M par.: millions of parameters, training heads not counted. GMACs: one picture of "
        f"{_counted_at(_usual_count(listings))}; {CONVENTION}. input: allowed heights and widths "
        "in pixels, n·32 for multiples of 32. mean IoU: void ignored. "
        "'rtseg networks NAME' tells more.",
        style="dim",
    )


def _accuracy(card: ModelCard) -> Text:
    shares = (f"{split} {100 * value:.1f}" for split, value in mean_ious(card).items())
    return _printable(f"{card.name}: {', '.join(shares) or 'not measured'}")


def _count_of(card: NetworkCard) -> tuple[tuple[int, int], int]:
    return card.count_hw, card.count_classes


def _usual_count(listings: list[Listing]) -> tuple[tuple[int, int], int]:
    """Return the size and classes that most cards were counted at."""
    return Counter(_count_of(listing.card) for listing in listings).most_common(1)[0][0]


def _counted_at(count: tuple[tuple[int, int], int]) -> str:
    (height, width), classes = count
    return f"{height}x{width} (height x width), {classes} classes"


def _network_page(listing: Listing) -> Table:
    card, multiple = listing.card, listing.size_multiple
    return _facts(
        {
            "network": listing.name,
            "title": card.title,
            "paper": card.paper,
            "url": card.url,
            "structure": card.structure,
            "parameters": f"{card.parameters:,} (training heads not counted)",
            "GMACs": f"{card.gmacs:.2f} ({CONVENTION})",
            "counted at": _counted_at(_count_of(card)),
            "input": f"heights and widths of at least {listing.min_size} pixels"
            + (f", multiples of {multiple}" if multiple > 1 else ""),
            "weights": ", ".join(weights.name for weights in listing.weights)
            or "none shipped; train it with 'rtseg train'",
        }
    )


def _weights_page(card: ModelCard) -> Table:
    classes = ", ".join(card.classes.names)
    normalisation = card.normalisation
    facts: dict[str, Any] = {
        "weights": card.name,
        "network": card.network,
        "input": f"{card.input_hw[0]}x{card.input_hw[1]} (height x width)",
        "classes": f"{len(card.classes)} of {card.classes.name}: {classes}",
        "normalisation": f"RGB mean {normalisation.mean_rgb}, deviation {normalisation.std_rgb}",
        "licence": card.licence or "not stated",
    }
    if card.threshold is not None:
        facts["threshold"] = f"{card.threshold} for {card.classes.names[1]}, one channel"
    if card.padding != "mean":
        facts["padding"] = card.padding
    facts |= {f"training: {key}": value for key, value in _flat(card.training).items()}
    facts |= {f"metric: {key}": f"{value:.4f}" for key, value in card.metrics.items()}
    return _facts(facts)


def _flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return nested mappings as one, with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{above}{key}"
        flat |= _flat(value, f"{name}.") if isinstance(value, Mapping) and value else {name: value}
    return flat


def _facts(facts: Mapping[str, Any]) -> Table:
    """Return two columns; long values wrap, short names don't."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        table.add_row(_printable(name), _printable(text))
    return table


def _printable(text: str) -> Text:
    """Keep what a file says from steering the terminal."""
    return Text(
        "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    )


def _print(pages: Sequence[Table | Text]) -> None:
    """Print to a terminal in its width; elsewhere no narrower than the list of networks needs."""
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        lists = [page for page in pages if isinstance(page, Table) and page.show_header]
        unlimited = console.options.update(max_width=10_000)
        console.width = max(
            PIPED_WIDTH, *(Measurement.get(console, unlimited, each).maximum for each in lists), 0
        )
    for position, page in enumerate(pages):
        console.print(*([""] if position else []), page, sep="\n")
