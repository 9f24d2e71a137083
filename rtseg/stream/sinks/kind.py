"""Kinds of outputs: each is one class, found by how people write the output."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, TypeVar

from rtseg.config import Config
from rtseg.registry import Registry
from rtseg.stream.sinks.sink import Sink


class OutputSink(Sink):
    """A sink that is made from an output as people write it, such as ``"out.mp4"``.

    Args:
        output: the output; `matches` holds for it where the kind takes any.
        config: what is set for this kind, an instance of `config_class`; None: its defaults.
        overwrite: replace files that exist.
    """

    outputs: ClassVar[str]
    """How its outputs are written, for messages and help."""
    example: ClassVar[str]
    """One of them; the contract test writes it."""
    config_class: ClassVar[type[Config]] = Config
    """What can be set."""

    @abstractmethod
    def __init__(
        self, output: str, config: Config | None = None, *, overwrite: bool = False
    ) -> None: ...

    @classmethod
    @abstractmethod
    def matches(cls, output: str) -> bool:
        """Return whether ``-o OUTPUT`` asks for this kind."""


SINKS: Registry[type[OutputSink]] = Registry("sink")
"""Every kind of sink by name; importing `rtseg.stream.sinks` fills it."""

_Kind = TypeVar("_Kind", bound=type[OutputSink])


def register(name: str) -> Callable[[_Kind], _Kind]:
    """Return a decorator that registers a kind of sink."""

    def decorate(kind: _Kind) -> _Kind:
        SINKS.add(name, kind)
        return kind

    return decorate
