"""Where the page is served: ``http://HOST:PORT`` and what follows from it."""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from rtseg.errors import SinkError
from rtseg.stream.sources.uri import redact

EXAMPLES = "http://127.0.0.1:8080 for this machine alone, http://0.0.0.0:8080 for the network"
_BACKLOG = 128


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port to listen on.

    Args:
        host: an IP address, or a name of this machine.
        port: 0: any that is free.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, output: str) -> Address:
        """Read an output such as ``"http://127.0.0.1:8080"``.

        Raises:
            SinkError: it is no such address; says how one is written.
        """
        try:
            parts = urlsplit(output)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise SinkError(f"{redact(output)!r} is no address; write {EXAMPLES}") from None
        if parts.scheme == "https":
            raise SinkError(
                "the page is served by http alone; for https put a reverse proxy in front of "
                "http://127.0.0.1:8080 (docs/browser.md)"
            )
        if not host or port is None or parts.path not in ("", "/"):
            raise SinkError(f"{redact(output)!r} is no address; write {EXAMPLES}")
        if parts.query or parts.fragment or parts.username is not None:
            raise SinkError(
                f"an address is only a host and a port; write {EXAMPLES}, and the token as --token"
            )
        return cls(host, port)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback_name(self.host)

    @property
    def is_any(self) -> bool:
        """Whether it stands for all of the machine's addresses."""
        try:
            return ipaddress.ip_address(self.host).is_unspecified
        except ValueError:
            return False

    def url(self, port: int, host: str = "") -> str:
        """Return the page's address at the port that was got."""
        host = host or self.host
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def listen(self) -> socket.socket:
        """Return a socket that listens.

        Raises:
            SinkError: the address is in use, not one of this machine's, or not allowed.
        """
        try:
            # "localhost" is the address that every machine has, rather than what a resolver says
            host = "127.0.0.1" if self.host == "localhost" else self.host
            found = socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM)[0]
            family, kind, protocol, _, place = found
            listening = socket.socket(family, kind, protocol)
        except OSError as error:
            raise SinkError(self._trouble(error)) from None
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(place)
            listening.listen(_BACKLOG)
            listening.setblocking(False)
        except OSError as error:
            listening.close()
            raise SinkError(self._trouble(error)) from None
        return listening

    def _trouble(self, error: OSError) -> str:
        place = self.url(self.port)
        if error.errno == errno.EADDRINUSE:
            return (
                f"{place} is in use by another program; take another port, such as "
                f"-o {self.url(self.port + 1 if self.port < 65535 else 8080)}"
            )
        if error.errno == errno.EACCES:
            return f"{place} may not be used: ports below 1024 need rights; take 8080"
        if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
            return f"{self.host} is no address of this machine; write {EXAMPLES}"
        return f"{place} can't be listened on: {error.strerror or error}"


def is_loopback_name(host: str) -> bool:
    """Return whether a host is this machine as seen from itself."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def own_address() -> str:
    """Return the address by which others most likely reach this machine; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address for documentation: only routing is asked
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()
