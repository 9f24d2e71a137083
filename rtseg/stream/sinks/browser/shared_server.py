"""The servers of this process: streams that name the same address share one."""

from __future__ import annotations

import threading

from rtseg.errors import SinkError
from rtseg.stream.sinks.browser.address import Address
from rtseg.stream.sinks.browser.server import BrowserServer
from rtseg.stream.sinks.browser.settings import BrowserConfig

_servers: dict[Address, tuple[BrowserServer, int]] = {}
_servers_lock = threading.Lock()


def server_for(address: Address, config: BrowserConfig) -> tuple[BrowserServer, bool]:
    """Return this process's server for an address, and whether it was started for this call.

    Each one who asked gives it back by `release`; the last one ends it.

    Raises:
        SinkError: the address can't be had, or is served with other settings.
    """
    with _servers_lock:
        server, users = _servers.get(address, (None, 0))
        if server is None:
            server = BrowserServer(address, config)
        elif server.config != config:
            raise SinkError(f"{server.url} is served with other settings by a stream of this run")
        _servers[address] = server, users + 1
        return server, not users


def release(server: BrowserServer) -> None:
    """Give a server back; the last one who does ends it."""
    with _servers_lock:
        users = _servers[server.address][1] - 1
        if users:
            _servers[server.address] = server, users
            return
        del _servers[server.address]
        server.close()
