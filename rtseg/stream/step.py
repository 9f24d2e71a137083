"""A step of a stream: the stages that share a thread, and how many threads do the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rtseg.errors import ConfigError
from rtseg.stream.stage import Stage


@dataclass(frozen=True)
class Step:
    """One step between source and sinks.

    Args:
        name: how it is called in counts of drops and in errors.
        make: makes the stages that an item goes through, one or several. It is called in each
            worker's thread, so that buffers and settings of threads belong to that thread; the
            thread closes the stages at its end.
        workers: how many threads work on items at the same time, each with stages of its own.

    Raises:
        ConfigError: there is less than one worker.
    """

    name: str
    make: Callable[[], Stage | Sequence[Stage]]
    workers: int = 1

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ConfigError(f"the step {self.name!r} needs 1 worker or more; got {self.workers}")

    def stages(self) -> list[Stage]:
        """Make the stages of one worker."""
        made = self.make()
        return [made] if isinstance(made, Stage) else list(made)
