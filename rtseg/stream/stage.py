"""What every step between source and sinks owes: one item in, one item out, no thread of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar


class Stage(ABC):
    """A step of the way. Passive: it works in a plain ``for`` loop as in the pipeline."""

    name: ClassVar[str]
    """The name under which its times are reported."""

    @abstractmethod
    def process(self, item: Any) -> Any:
        """Return what becomes of an item. Called from one thread; the item is the stage's own."""

    def close(self) -> None:
        """Release what the stage holds; called once, also after a failure."""
