"""Every error that rtseg raises for its users.

RtsegError                 bad input: one readable line, exit status 2
├── UnknownNameError       a name that no registry holds; names the closest one
├── ConfigError            a YAML file, flag or override that can't be used
├── DataError              a picture, mask, video or folder that can't be used
├── WeightsError           a weights or checkpoint file that doesn't fit or can't be read
├── InputSizeError         a picture size that a network can't take; names one that it can
├── TrainingError          a training that can't go on (a loss that is not a number, …)
├── SourceError            a camera, video or stream that can't be opened or read
├── SinkError              an output that can't be opened or written
├── EngineError            an engine that can't be built, loaded or run
│   ├── BackendUnavailableError   a backend that doesn't work on this machine; says what is missing
│   └── ParityError        an engine that doesn't say what its network says; it is not kept
├── PipelineError          a stream that can't be run to its end (a stage stuck in a call, …)
└── MissingExtraError      a package that an extra brings; names the command that installs it

A message says what was got, what is allowed, and what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RtsegError(Exception):
    """The root of the tree: the command line prints it as one line and exits with status 2."""


class UnknownNameError(RtsegError, KeyError):
    """A name that is not among the allowed ones."""

    def __str__(self) -> str:  # KeyError would print the repr of its argument
        return str(self.args[0]) if self.args else ""


class ConfigError(RtsegError, ValueError):
    """A configuration that can't be used."""


class DataError(RtsegError, ValueError):
    """A picture, mask, video or folder that can't be used."""


class WeightsError(RtsegError, ValueError):
    """A weights or checkpoint file that doesn't fit or can't be read."""


class InputSizeError(RtsegError, ValueError):
    """A picture size that a network can't take."""


class TrainingError(RtsegError, RuntimeError):
    """A training that can't go on."""


class SourceError(RtsegError, OSError):
    """A camera, video or stream that can't be opened or read.

    Attributes:
        kind: what is wrong, in a word or two for counting: ``"refused"``, ``"not found"``, ….
    """

    kind: str = "failed"


class SinkError(RtsegError, OSError):
    """An output that can't be opened or written."""


class EngineError(RtsegError, RuntimeError):
    """An engine that can't be built, loaded or run."""


class BackendUnavailableError(EngineError):
    """A backend that doesn't work on this machine; the message says what is missing."""


class ParityError(EngineError):
    """An engine that doesn't agree with the network that it was made from."""


class PipelineError(RtsegError, RuntimeError):
    """A stream that can't be run to its end."""


class MissingExtraError(RtsegError, ImportError):
    """A package is missing that one of rtseg's extras brings.

    Args:
        package: the import name that was not found.
        extra: the extra of rtseg that installs it.
        purpose: what needed it, for the message.
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed: "
            f"pip install 'rtseg[{extra}]'"
        )


def closest(name: str, allowed: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the allowed name nearest to `name`, or nothing."""
    matches = difflib.get_close_matches(name, list(allowed), n=1, cutoff=0.5)
    return f" Did you mean {matches[0]!r}?" if matches else ""
