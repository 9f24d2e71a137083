"""Networks by family: the variants of one class, which differ in size alone."""

from __future__ import annotations

import torch

from rtseg.networks.network import NETWORKS, NetworkEntry, SegmentationNetwork


def family_of(entry: NetworkEntry) -> type[SegmentationNetwork]:
    """Return the class of a network; a variant is registered as its class or a partial of it."""
    build = getattr(entry.build, "func", entry.build)
    if isinstance(build, type) and issubclass(build, SegmentationNetwork):
        return build
    with torch.device("meta"):  # some other function: the one way to know
        return type(entry.build(entry.card.count_classes))


def families() -> dict[type[SegmentationNetwork], list[str]]:
    """Return the names of every family's variants, the lightest first.

    The lightest is the one with the fewest multiply-adds, then with the fewest parameters.
    Figures counted at another size or for other classes than the usual ones compare all the same:
    within a family all cards are counted alike.
    """
    found: dict[type[SegmentationNetwork], list[str]] = {}
    for name, entry in NETWORKS.items():
        found.setdefault(family_of(entry), []).append(name)
    return {family: sorted(names, key=_weight) for family, names in found.items()}


def lightest_of_each_family() -> list[str]:
    """Return one name for each family, in the order of registration of the families."""
    return [names[0] for names in families().values()]


def _weight(name: str) -> tuple[float, int]:
    card = NETWORKS[name].card
    return card.gmacs, card.parameters
