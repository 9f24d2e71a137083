"""Names and what they stand for."""

from __future__ import annotations

import pytest

from rtseg.errors import RtsegError, UnknownNameError
from rtseg.registry import Registry


def test_parts_are_found_by_name_in_the_order_of_registration() -> None:
    registry: Registry[int] = Registry("number")
    registry.add("two", 2)
    registry.add("one", 1)
    assert (registry["one"], list(registry), len(registry)) == (1, ["two", "one"], 2)
    assert "one" in registry
    assert registry.items() == [("two", 2), ("one", 1)]


def test_an_unknown_name_names_the_closest_and_all() -> None:
    registry: Registry[int] = Registry("number")
    registry.add("three", 3)
    registry.add("four", 4)
    with pytest.raises(UnknownNameError) as caught:
        registry["thre"]
    assert str(caught.value) == ("unknown number 'thre'. Did you mean 'three'? Known: four, three")
    assert isinstance(caught.value, RtsegError)


def test_a_name_can_be_taken_once() -> None:
    registry: Registry[object] = Registry("part")

    @registry.register("a")
    class A:
        pass

    assert registry["a"] is A
    with pytest.raises(ValueError, match="registered twice"):
        registry.add("a", A)
