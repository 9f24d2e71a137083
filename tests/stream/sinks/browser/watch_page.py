"""Watch a page with many clients from a process of its own: PORT READING DEAD.

Prints how many bytes and pictures the reading ones took, every second; a dead one asks for
pictures and takes none. Ends when its input does.
"""

from __future__ import annotations

import os
import selectors
import socket
import sys
import time

REQUEST = b"GET /stream.mjpg?width=960 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def connect(port: int, receive_bytes: int | None = None) -> socket.socket:
    client = socket.socket()
    if receive_bytes is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    client.connect(("127.0.0.1", port))
    client.sendall(REQUEST)
    client.setblocking(False)
    return client


def main() -> None:
    port, num_reading, num_dead = (int(argument) for argument in sys.argv[1:])
    os.nice(19)  # they stand for other machines
    dead = [connect(port, 4096) for _ in range(num_dead)]
    selector = selectors.DefaultSelector()
    for _ in range(num_reading):
        selector.register(connect(port), selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    num_bytes = num_pictures = 0
    told_s = time.monotonic()
    while True:
        for key, _ in selector.select(0.5):
            if key.fileobj is sys.stdin:
                return
            data = key.fileobj.recv(1 << 18)  # type: ignore[union-attr]
            if not data:
                selector.unregister(key.fileobj)
            num_bytes += len(data)
            num_pictures += data.count(b"X-Picture")
        if time.monotonic() - told_s > 1:
            told_s = time.monotonic()
            sys.stdout.write(f"{num_bytes} {num_pictures} {len(dead)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
