"""Opening files and network streams with PyAV, and saying in one line why one can't be opened."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av
import av.error

from rtseg.errors import SourceError
from rtseg.stream.sources.live._diagnosis import diagnose
from rtseg.stream.sources.live.faults import (
    BUSY,
    CODEC,
    DAMAGED,
    FORBIDDEN,
    NOT_FOUND,
    PASSWORD,
    REFUSED,
    RESET,
    SERVER,
    SETUP,
    TIME_OUT,
    UNREACHABLE,
    fault,
)
from rtseg.stream.sources.uri import redact, scheme

_NO_PICTURES = frozenset(
    {"tty", "ansi", "txt", "concat", "lavfi", "data", "bin", "adf", "idf", "xbin"}
)
"""Readers of FFmpeg that draw text, or follow a list of other files, where a film is meant."""

CANT_BE_OPENED = "can't be opened"
_ANALYSE_US = "1000000"
"""How much of a network stream is looked at before it is decoded; FFmpeg's own are 5 s."""

_ANSWERS: Mapping[str, tuple[str, str]] = {
    "HTTPUnauthorizedError": (
        PASSWORD,
        "the user name or password is wrong (401); give them as scheme://USER:PASSWORD@host/…, "
        "with special characters as %XX",
    ),
    "HTTPForbiddenError": (FORBIDDEN, "access is forbidden (403)"),
    "HTTPNotFoundError": (
        NOT_FOUND,
        "there is no such stream (404); check the part after the host",
    ),
    "HTTPTooManyRequestsError": (
        BUSY,
        "the server has had too many requests (429); wait a little",
    ),
    "HTTPBadRequestError": (SERVER, "the server doesn't understand the request (400)"),
    "HTTPOtherClientError": (
        NOT_FOUND,
        "the server refuses the request (4xx, such as RTSP's 454, no such session, or 461, not "
        "over TCP); check the part after the host",
    ),
    "HTTPServerError": (SERVER, "the server failed (5xx)"),
    "ConnectionRefusedError": (
        REFUSED,
        "the connection was refused; does the server run, is the port right?",
    ),
    "ConnectionResetError": (RESET, "the server broke off the connection"),
    "ConnectionAbortedError": (RESET, "the server broke off the connection"),
    "BrokenPipeError": (RESET, "the server broke off the connection"),
    "DecoderNotFoundError": (CODEC, "the installed PyAV has no decoder for its video"),
    "ProtocolNotFoundError": (SETUP, "the installed PyAV can't speak this protocol"),
}
"""What an error of PyAV's means: its kind, and what people read."""


def check_file(path: Path) -> None:
    """Make sure that a path is a file with something in it, which also can't block when read.

    Raises:
        SourceError: it isn't.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise SourceError(f"no such file: {path}") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise SourceError(f"can't read {path}: {_reason(error)}") from None
    if stat.S_ISDIR(status.st_mode):
        raise SourceError(f"{path} is a folder; give a file, or a folder that holds pictures")
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(
            f"{path} is a pipe, socket or device, not a file; stream over tcp:// instead"
        )
    if not os.access(path, os.R_OK):
        raise SourceError(f"no permission to read {path}")
    if status.st_size == 0:
        raise SourceError(f"{path} is empty; copy it again")


def open_container(uri: str, timeout_s: float, read_timeout_s: float | None = None) -> Any:
    """Open a file or network stream as an `av.container.InputContainer`.

    Args:
        uri: a path, or the address of a stream.
        timeout_s: how long a network stream may take to answer.
        read_timeout_s: how long it may then be silent; `timeout_s` unless given.

    Raises:
        SourceError: it can't be opened, within `timeout_s` for a network stream.
    """
    if not scheme(uri):
        check_file(Path(uri))
        return _open(f"file:{uri}", uri, None, {})
    timeouts_s = timeout_s, read_timeout_s or timeout_s
    return _open(uri, redact(uri), timeouts_s, _network_options(scheme(uri), max(timeouts_s)))


def _open(
    address: str, name: str, timeouts_s: tuple[float, float] | None, options: dict[str, str]
) -> Any:
    timeout_s = None if timeouts_s is None else timeouts_s[0]
    begin_s = time.monotonic()
    try:
        container = av.open(
            address,
            options=options,
            metadata_errors="replace",
            timeout=timeouts_s,
        )
    except (av.error.FFmpegError, OSError, ValueError, MemoryError) as error:
        waited_s = time.monotonic() - begin_s
        raise read_error(name, error, CANT_BE_OPENED, timeout_s, waited_s) from None
    if container.format.name in _NO_PICTURES:
        container.close()
        raise SourceError(f"{name} is text, not a video")
    return container


def read_error(
    name: str, error: BaseException, what: str, timeout_s: float | None, waited_s: float
) -> SourceError:
    """Return the error that people see for one of PyAV's, whose own text may hold credentials.

    Args:
        what: `CANT_BE_OPENED`, or "broke off".
        timeout_s: how long a network stream may be silent, None for files.
        waited_s: how long it was; FFmpeg names a time that ran out by many names.
    """
    is_late = timeout_s is not None and waited_s >= 0.95 * timeout_s
    if timeout_s is not None and (is_late or isinstance(error, av.error.ExitError)):
        return fault(
            TIME_OUT,
            f"{name} sent nothing for {timeout_s:g} s; check the address, or raise timeout_s",
        )
    for kind in type(error).__mro__:
        if kind.__name__ in _ANSWERS:
            what_kind, text = _ANSWERS[kind.__name__]
            return fault(what_kind, f"{name}: {text}")
    if "://" in name:
        found = diagnose(name) if what == CANT_BE_OPENED else None
        return found or fault(
            _other_kind(error),
            f"{name} {what} ({_reason(error)}); check the host's name, the path, and the network",
        )
    if isinstance(error, av.error.InvalidDataError) and _begins_as_mp4(Path(name)):
        return SourceError(
            f"{name} has no index (moov): it was cut off, or its recording was never finished"
        )
    return SourceError(f"{name} is no video that can be read, or is damaged ({_reason(error)})")


def _other_kind(error: BaseException) -> str:
    if isinstance(error, av.error.InvalidDataError | av.error.EOFError):
        return DAMAGED
    unreachable = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN)
    return UNREACHABLE if getattr(error, "errno", None) in unreachable else RESET


def _begins_as_mp4(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(8)[4:] == b"ftyp"
    except OSError:
        return False


def _reason(error: BaseException) -> str:
    code = getattr(error, "errno", None)
    if isinstance(code, int) and code in errno.errorcode:
        return os.strerror(code).lower()
    return str(getattr(error, "strerror", None) or type(error).__name__).lower()


def _network_options(kind: str, timeout_s: float) -> dict[str, str]:
    """Return FFmpeg's options for little delay, over TCP, and never waiting too long.

    `fflags nobuffer` is not among them: it throws away what was read to find out what the stream
    is, and with it the first key frame, so that a transport stream with a key frame every 2 s
    opens after 3.6 s instead of 1.6 s and is no younger then.
    """
    timeout_us = str(int(timeout_s * 1e6))
    options = {"analyzeduration": _ANALYSE_US}
    if kind in ("rtsp", "rtsps"):
        # Packets lost over UDP show as torn pictures; TCP costs next to nothing on a local network.
        # Looking at more pictures for their rate would take most of a second of every opening.
        return {
            **options,
            "rtsp_transport": "tcp",
            "timeout": timeout_us,
            "fpsprobesize": "2",
        }
    return {**options, "rw_timeout": timeout_us}
