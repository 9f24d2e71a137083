"""Finding out why a network stream can't be opened where FFmpeg says "input/output error"."""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit

from rtseg.errors import SourceError
from rtseg.stream.sources.live.faults import REFUSED, TLS, UNKNOWN_HOST, UNREACHABLE, fault
from rtseg.stream.sources.uri import scheme

_PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443}
_ENCRYPTED = ("https", "rtsps", "rtmps")
_TIMEOUT_S = 2.0


def diagnose(name: str) -> SourceError | None:
    """Return what is wrong with a stream's host, port or encryption; None where that is fine.

    Asks for the host's address, and knocks at the port.

    Args:
        name: the stream's address, without credentials.
    """
    kind = scheme(name)
    try:
        parts = urlsplit(name)
        host, port = parts.hostname, parts.port or _PORTS.get(kind)
    except ValueError:
        return None
    if host is None or port is None:
        return None
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return fault(
            UNKNOWN_HOST,
            f"{name}: the host {host} is unknown; check its name, and the network's name server",
        )
    return None if kind not in _PORTS else _knock(name, host, port, encrypted=kind in _ENCRYPTED)


def _knock(name: str, host: str, port: int, *, encrypted: bool) -> SourceError | None:
    try:
        with socket.create_connection((host, port), timeout=_TIMEOUT_S) as connection:
            if encrypted:
                _context().wrap_socket(connection, server_hostname=host).close()
    except ssl.SSLError as error:
        reason = (error.reason or "failed").replace("_", " ").lower()
        return fault(
            TLS,
            f"{name}: no encrypted connection ({reason}); does the server speak TLS on port "
            f"{port}? Without it the address begins with {scheme(name)[:-1]}://",
        )
    except ConnectionRefusedError:
        return fault(
            REFUSED,
            f"{name}: the connection was refused; does the server run, is the port right?",
        )
    except OSError as error:
        return fault(UNREACHABLE, f"{name}: the host {host} can't be reached ({error})")
    return None


def _context() -> ssl.SSLContext:
    """Return TLS as FFmpeg does it: cameras make their certificates themselves."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
