"""No output: the stream runs and is measured."""

from __future__ import annotations

from typing import ClassVar

from rtseg.config import Config
from rtseg.frames import Picture
from rtseg.stream.sinks.kind import OutputSink, register


@register("null")
class NullSink(OutputSink):
    """Takes pictures and does nothing with them."""

    outputs: ClassVar[str] = "null"
    example: ClassVar[str] = "null"

    def __init__(
        self, output: str = "null", config: Config | None = None, *, overwrite: bool = False
    ) -> None:
        self.name = output
        self.num_pictures = 0

    @classmethod
    def matches(cls, output: str) -> bool:
        """Return whether the output is the word."""
        return output == "null"

    def write(self, picture: Picture) -> None:
        """Count a picture."""
        self.num_pictures += 1
