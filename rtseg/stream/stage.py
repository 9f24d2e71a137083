"""What every step between source and sinks owes: one item in, one out, no thread of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar


class Stage(ABC):
    """A step of the way. Passive: it works in a plain ``for`` loop as in the pipeline.

    In a pipeline it is made, used and closed in one and the same thread.
    """

    name: ClassVar[str]
    """The name under which its times are reported."""

    @abstractmethod
    def process(self, item: Any) -> Any:
        """Return what becomes of an item; None if nothing does and it shall go no further.

        Called from one thread. An item comes only once, but another stage or sink may hold what it
        is made of (its frame, say): what is handed on is new, what came in isn't changed.
        """

    def close(self) -> None:  # noqa: B027  # not every stage holds something
        """Release what the stage holds; called once at the end, also after a failure."""
