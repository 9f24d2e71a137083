"""The newest of a row of values, for any number of waiting tasks; none is kept for the slow."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class Newest(Generic[T]):
    """A value that is replaced; tasks of one event loop wait for the next one.

    Who is slow misses what came between, so nothing is queued.
    """

    def __init__(self) -> None:
        self.number = 0
        """How many values there have been."""
        self._value: T | None = None
        self._changed = asyncio.Event()

    def set(self, value: T) -> None:
        """Replace the value and wake those who wait."""
        self.number, self._value = self.number + 1, value
        self._changed.set()
        self._changed = asyncio.Event()

    async def after(self, number: int) -> tuple[int, T]:
        """Return the newest value and its number, as soon as that is above `number`."""
        while self.number <= number or self._value is None:
            await self._changed.wait()
        return self.number, self._value
