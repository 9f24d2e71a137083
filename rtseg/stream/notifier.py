"""What a service tells its manager: systemd's notification protocol, sd_notify(3).

A datagram of a few ``KEY=value`` lines to a Unix socket is the whole protocol, and its manual page
asks programs to write these lines themselves rather than to depend on a library for it.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping

_log = logging.getLogger(__name__)


class Notifier:
    """Tells the service manager how the program is. May be used from several threads.

    A manager that doesn't listen is no reason to fail: the log says so once.

    Args:
        address: of the socket, as in ``NOTIFY_SOCKET``: a path, or ``@`` and an abstract name.
            Empty: there is no manager, and `send` does nothing.
    """

    def __init__(self, address: str = "") -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._complained = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Notifier:
        """Return the notifier for the manager that started this process, if one did."""
        address = (os.environ if environment is None else environment).get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")) or not hasattr(socket, "AF_UNIX"):
            address = ""
        return cls(address)

    @property
    def is_heard(self) -> bool:
        """Whether there is a manager."""
        return bool(self._address)

    def send(self, **values: str | int) -> None:
        """Send a line for each value, such as ``READY=1``, in one message."""
        if not self._address:
            return
        lines = [f"{key}={_one_line(str(value))}" for key, value in values.items()]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)  # a manager that hangs must not hold up the program
                sender.connect(self._address)
                sender.send("\n".join(lines).encode())
        except OSError as error:
            if not self._complained:
                self._complained = True
                _log.warning("the service manager can't be told anything: %s", error)


def watchdog_s(environment: Mapping[str, str] | None = None) -> float | None:
    """Return how long the manager waits for a sign of life, seconds; None: it doesn't wait."""
    given = os.environ if environment is None else environment
    microseconds, pid = given.get("WATCHDOG_USEC", ""), given.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or int(microseconds) == 0:
        return None
    if pid and pid != str(os.getpid()):
        return None  # another process is watched
    return int(microseconds) / 1e6


def _one_line(text: str) -> str:
    return " ".join(text.split())
