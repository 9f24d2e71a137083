"""Variants belong to the family of their class, the lightest first."""

from __future__ import annotations

from rtseg.networks import NETWORKS
from rtseg.networks.families import families, family_of, lightest_of_each_family
from rtseg.networks.linknet import LinkNet


def test_every_network_is_in_one_family() -> None:
    names = [name for variants in families().values() for name in variants]
    assert sorted(names) == sorted(NETWORKS)


def test_a_familys_variants_are_ordered_by_what_they_cost() -> None:
    assert family_of(NETWORKS["linknet-resnet34"]) is LinkNet
    assert families()[LinkNet][0] == "linknet"
    for variants in families().values():
        gmacs = [NETWORKS[name].card.gmacs for name in variants]
        assert gmacs == sorted(gmacs)
    assert lightest_of_each_family() == [variants[0] for variants in families().values()]
