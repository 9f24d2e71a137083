"""A table of interchangeable parts by name: networks, data sets, losses, sources, sinks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from rtseg.errors import UnknownNameError, closest

T = TypeVar("T")


class Registry(Generic[T]):
    """Names and the parts they stand for, in the order of registration.

    >>> colours: Registry[str] = Registry("colour")
    >>> colours.add("red", "#f00")
    >>> colours["red"]
    '#f00'

    Args:
        kind: what the parts are, in the singular; used in messages.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}

    def add(self, name: str, item: T) -> None:
        """Register `item`; a name that is taken is a programming error (ValueError)."""
        if name in self._items:
            raise ValueError(f"the {self.kind} {name!r} is registered twice")
        self._items[name] = item

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers what it decorates as `name`."""

        def decorate(item: T) -> T:
            self.add(name, item)
            return item

        return decorate

    def __getitem__(self, name: str) -> T:
        """Return the part called `name`.

        Raises:
            UnknownNameError: no part has that name; the message lists those there are.
        """
        try:
            return self._items[name]
        except KeyError:
            raise UnknownNameError(
                f"unknown {self.kind} {name!r}.{closest(name, self._items)} "
                f"Known: {', '.join(sorted(self._items))}"
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def items(self) -> list[tuple[str, T]]:
        """Return (name, part) pairs in the order of registration."""
        return list(self._items.items())
