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
from rtseg.stream.sources.uri import redact, scheme

_NO_PICTURES = frozenset(
    {"tty", "ansi", "txt", "concat", "lavfi", "data", "bin", "adf", "idf", "xbin"}
)
"""Readers of FFmpeg that draw text, or follow a list of other files, where a film is meant."""

_ANALYSE_US = "1000000"
"""How much of a network stream is looked at before it is decoded; FFmpeg's own are 5 s."""

_ANSWERS: Mapping[str, str] = {
    "HTTPUnauthorizedError": "the user name or password is wrong (401); give them as "
    "scheme://USER:PASSWORD@host/…, with special characters as %XX",
    "HTTPForbiddenError": "access is forbidden (403)",
    "HTTPNotFoundError": "there is no such stream (404); check the part after the host",
    "HTTPTooManyRequestsError": "the server has had too many requests (429); wait a little",
    "HTTPBadRequestError": "the server doesn't understand the request (400)",
    "HTTPServerError": "the server failed (5xx)",
    "ConnectionRefusedError": "the connection was refused; does the server run, is the port right?",
    "ConnectionResetError": "the server broke off the connection",
    "ProtocolNotFoundError": "the installed PyAV can't speak this protocol",
}


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


def open_container(uri: str, timeout_s: float) -> Any:
    """Open a file or network stream as an `av.container.InputContainer`.

    Raises:
        SourceError: it can't be opened, within `timeout_s` for a network stream.
    """
    if not scheme(uri):
        check_file(Path(uri))
        return _open(f"file:{uri}", uri, None, {})
    return _open(uri, redact(uri), timeout_s, _network_options(scheme(uri), timeout_s))


def _open(address: str, name: str, timeout_s: float | None, options: dict[str, str]) -> Any:
    begin_s = time.monotonic()
    try:
        container = av.open(
            address,
            options=options,
            metadata_errors="replace",
            timeout=None if timeout_s is None else (timeout_s, timeout_s),
        )
    except (av.error.FFmpegError, OSError, ValueError, MemoryError) as error:
        waited_s = time.monotonic() - begin_s
        raise read_error(name, error, "can't be opened", timeout_s, waited_s) from None
    if container.format.name in _NO_PICTURES:
        container.close()
        raise SourceError(f"{name} is text, not a video")
    return container


def read_error(
    name: str, error: BaseException, what: str, timeout_s: float | None, waited_s: float
) -> SourceError:
    """Return the error that people see for one of PyAV's, whose own text may hold credentials.

    Args:
        what: "can't be opened" or "broke off".
        timeout_s: how long a network stream may be silent, None for files.
        waited_s: how long it was; FFmpeg names a time that ran out by many names.
    """
    is_late = timeout_s is not None and waited_s >= 0.95 * timeout_s
    if timeout_s is not None and (is_late or isinstance(error, av.error.ExitError)):
        return SourceError(
            f"{name} sent nothing for {timeout_s:g} s; check the address, or raise timeout_s"
        )
    for kind in type(error).__mro__:
        if kind.__name__ in _ANSWERS:
            return SourceError(f"{name}: {_ANSWERS[kind.__name__]}")
    if "://" in name:
        return SourceError(
            f"{name} {what} ({_reason(error)}); check the host's name, the path, and the network"
        )
    if isinstance(error, av.error.InvalidDataError) and _begins_as_mp4(Path(name)):
        return SourceError(
            f"{name} has no index (moov): it was cut off, or its recording was never finished"
        )
    return SourceError(f"{name} is no video that can be read, or is damaged ({_reason(error)})")


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
        return {**options, "rtsp_transport": "tcp", "timeout": timeout_us}
    return {**options, "rw_timeout": timeout_us}
