"""A camera over HTTP whose pictures carry the time: clock_camera.py FPS prints its port.

Each picture is drawn, stamped, encoded and sent when it is due, whether the client keeps up or not:
what the network can't take is left out. The stamp is the monotonic clock, which all processes of a
machine share, in microseconds: 48 blocks, black or white, and 8 more that check them.
"""

from __future__ import annotations

import http.server
import select
import sys
import time

import cv2
import numpy as np
import numpy.typing as npt

ROWS, COLUMNS = 7, 8
BLOCK_WH = (80, 51)
Bytes = npt.NDArray[np.uint8]


def stamp(now_us: int) -> Bytes:
    """Return a picture uint8 [357, 640, 3] that carries a time."""
    octets = np.frombuffer(now_us.to_bytes(6, "big"), np.uint8)
    checked = np.append(octets, np.bitwise_xor.reduce(octets))
    bits = np.unpackbits(checked).reshape(ROWS, COLUMNS) * 255
    blocks = np.kron(bits, np.ones(BLOCK_WH[::-1], np.uint8)).astype(np.uint8)
    return cv2.cvtColor(blocks, cv2.COLOR_GRAY2BGR).astype(np.uint8)


class Camera(http.server.BaseHTTPRequestHandler):
    fps = 30.0

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
        self.end_headers()
        number, start_s = 0, time.monotonic()
        try:
            while True:
                time.sleep(max(0.0, start_s + number / self.fps - time.monotonic()))
                number = int((time.monotonic() - start_s) * self.fps) + 1
                if select.select([], [self.connection], [], 0)[1]:
                    self._send()
        except OSError:
            return

    def _send(self) -> None:
        picture = stamp(time.monotonic_ns() // 1000)
        _, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])
        head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        self.wfile.write(head.encode() + jpeg.tobytes() + b"\r\n")

    def log_message(self, *arguments: object) -> None:
        pass


if __name__ == "__main__":
    Camera.fps = float(sys.argv[1])
    cv2.setNumThreads(1)
    with http.server.HTTPServer(("127.0.0.1", 0), Camera) as server:
        sys.stdout.write(f"{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()
