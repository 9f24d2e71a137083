"""What can be wrong with a source: the kinds of `SourceError`, for counting and for deciding."""

from __future__ import annotations

from rtseg.errors import SourceError

PASSWORD = "wrong password"
FORBIDDEN = "forbidden"
NOT_FOUND = "not found"
REFUSED = "refused"
RESET = "broken off"
UNKNOWN_HOST = "unknown host"
UNREACHABLE = "unreachable"
TIME_OUT = "timed out"
CODEC = "unsupported codec"
TLS = "TLS"
SERVER = "server error"
BUSY = "busy"
ENDED = "ended"
STALLED = "stalled"
FAILED = SourceError.kind
DAMAGED = "no picture in it"
SETUP = "setup"
"""Something on this side that no waiting mends: a wrong address, a missing plugin."""


def fault(kind: str, text: str) -> SourceError:
    """Return the error that people see, with its kind."""
    error = SourceError(text)
    error.kind = kind
    return error
