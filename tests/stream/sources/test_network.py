"""Network streams, from real servers on this machine: those that work, and those that don't."""

from __future__ import annotations

import contextlib
import io
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from rtseg.errors import SourceError
from rtseg.stream.sources import Source, SourceConfig, open_source

Handler = Callable[[socket.socket], None]
Serve = Callable[[Handler], int]
WriteFilm = Callable[..., Path]

HTTP_OK = b"HTTP/1.0 200 OK\r\n"
TIMEOUT_S = 1.0
SILENCE = "sent nothing for|gave no picture for"
"""Either the read notices it first, or the watchdog."""


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server that hands each connection to a handler; return its port."""
    servers: list[socket.socket] = []
    connections: list[socket.socket] = []

    def start(handler: Handler) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connections.append(connection)
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        def answer(connection: socket.socket) -> None:
            with contextlib.suppress(OSError):  # the client may have gone
                handler(connection)

        threading.Thread(target=accept, daemon=True).start()
        return int(server.getsockname()[1])

    yield start
    for one in (*servers, *connections):
        one.close()


def opened(uri: str, timeout_s: float = TIMEOUT_S, newest: bool = False, **settings: Any) -> Source:
    """Open a source that ends with its first loss, and of which every frame is read."""
    once = {"limit": 0, "stall_s": 1.0}
    config = SourceConfig(uri=uri, timeout_s=timeout_s, reconnect=once, **settings)
    return open_source(config, newest=newest)


def refusal(uri: str, timeout_s: float = TIMEOUT_S) -> tuple[str, float]:
    begin_s = time.monotonic()
    with pytest.raises(SourceError) as caught:
        opened(uri, timeout_s)
    message = str(caught.value)
    assert "\n" not in message
    assert "secret" not in message
    return message, time.monotonic() - begin_s


def jpeg(index: int, numbered: Any) -> bytes:
    return cv2.imencode(".jpg", numbered(index), [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def part(image: bytes) -> bytes:
    head = f"--part\r\nContent-Type: image/jpeg\r\nContent-Length: {len(image)}\r\n\r\n"
    return head.encode() + image + b"\r\n"


def mjpeg(images: list[bytes], fps: float, then: Handler) -> Handler:
    """Return the handler of an MJPEG camera that, after its last picture, does `then`."""

    def handle(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(
            HTTP_OK + b"Content-Type: multipart/x-mixed-replace;boundary=part\r\n\r\n"
        )
        for image in images:
            connection.sendall(part(image))
            time.sleep(1 / fps)
        then(connection)

    return handle


def hang(_: socket.socket) -> None:
    time.sleep(30)


def test_an_mjpeg_camera(serve: Serve, numbered: Any, number_of: Any) -> None:
    images = [jpeg(i, numbered) for i in range(12)]
    port = serve(mjpeg(images, 20, lambda connection: connection.close()))
    with opened(f"http://me:secret@127.0.0.1:{port}/video?token=secret") as source:
        assert source.info.live
        assert source.info.num_frames is None
        assert "secret" not in source.info.name
        frames = list(source)
    numbers = [number_of(frame.image_bgr) for frame in frames]
    assert numbers == list(range(numbers[0], 12))
    # These streams carry no times: a recording has the right speed only by those of arrival.
    assert frames[-1].pts_s == pytest.approx((len(frames) - 1) / 20, rel=0.5)
    assert "secret" not in frames[0].source


def test_a_slow_camera_opens_in_time(serve: Serve, numbered: Any) -> None:
    """Four pictures a second: the stream must not be analysed for longer than the timeout."""
    port = serve(mjpeg([jpeg(i, numbered) for i in range(40)], 4, hang))
    with opened(f"http://127.0.0.1:{port}/", timeout_s=3) as source:
        assert source.read() is not None


def test_a_picture_that_comes_now_is_young(serve: Serve, numbered: Any) -> None:
    """Waiting for a picture isn't counted as its age."""
    port = serve(mjpeg([jpeg(i, numbered) for i in range(8)], 5, hang))
    with opened(f"http://127.0.0.1:{port}/", timeout_s=3) as source:
        for _ in range(4):
            frame = source.read()
            assert frame is not None
            assert time.monotonic_ns() - frame.captured_ns < 100e6


def test_what_waited_while_the_reader_got_ready_is_left_out(
    serve: Serve, numbered: Any, number_of: Any
) -> None:
    port = serve(mjpeg([jpeg(i, numbered) for i in range(40)], 10, hang))
    with opened(f"http://127.0.0.1:{port}/", timeout_s=3, newest=True) as source:
        time.sleep(0.5)
        frame = source.read()
    assert frame is not None
    assert frame.index == 0
    assert frame.pts_s == 0
    assert number_of(frame.image_bgr) > 0
    assert time.monotonic_ns() - frame.captured_ns < 200e6


@pytest.mark.parametrize("scheme", ["http", "https", "rtsp", "rtmp", "tcp"])
def test_a_server_that_never_answers(scheme: str, serve: Serve) -> None:
    message, took_s = refusal(f"{scheme}://me:secret@127.0.0.1:{serve(hang)}/x", timeout_s=0.5)
    assert "sent nothing for 0.5 s" in message
    assert took_s < 1.5


def test_a_port_to_which_nothing_is_sent() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    message, took_s = refusal(f"udp://127.0.0.1:{port}")
    assert "sent nothing for 1 s" in message
    assert took_s < TIMEOUT_S + 1


def test_a_server_that_stops_in_the_middle(serve: Serve, numbered: Any) -> None:
    port = serve(mjpeg([jpeg(i, numbered) for i in range(5)], 20, hang))
    with opened(f"http://me:secret@127.0.0.1:{port}/") as source:
        begin_s = time.monotonic()
        with pytest.raises(SourceError, match=SILENCE) as caught:
            list(source)
    assert time.monotonic() - begin_s < TIMEOUT_S + 2
    assert "secret" not in str(caught.value)


def test_a_server_that_sends_a_byte_now_and_then(serve: Serve, numbered: Any) -> None:
    def drip(connection: socket.socket) -> None:
        for byte in part(jpeg(9, numbered)):
            connection.sendall(bytes([byte]))
            time.sleep(0.1)

    port = serve(mjpeg([jpeg(i, numbered) for i in range(3)], 20, drip))
    with opened(f"http://127.0.0.1:{port}/") as source, pytest.raises(SourceError, match=SILENCE):
        list(source)


@pytest.mark.parametrize("scheme", ["http", "https", "rtsp", "rtmp", "tcp"])
def test_nobody_listens(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    message, took_s = refusal(f"{scheme}://me:secret@127.0.0.1:{port}/x")
    assert "refused" in message
    assert took_s < TIMEOUT_S + 1


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("401 Unauthorized", "password is wrong"),
        ("403 Forbidden", "forbidden"),
        ("404 Not Found", "no such stream"),
        ("454 Session Not Found", "no such session"),
        ("429 Too Many Requests", "too many"),
        ("503 Unavailable", "server failed"),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_each_refusal_has_its_own_message(
    scheme: str, status: str, said: str, serve: Serve
) -> None:
    def refuse(connection: socket.socket) -> None:
        connection.recv(4096)
        protocol = "HTTP/1.1" if scheme == "http" else "RTSP/1.0"
        connection.sendall(f"{protocol} {status}\r\nCSeq: 1\r\nContent-Length: 0\r\n\r\n".encode())
        connection.close()

    assert said in refusal(f"{scheme}://me:secret@127.0.0.1:{serve(refuse)}/x")[0]


def test_a_host_that_does_not_exist() -> None:
    message = refusal("http://me:secret@no-such-host.invalid/x")[0]
    assert "the host no-such-host.invalid is unknown" in message


def test_a_server_without_encryption(serve: Serve) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.close()

    port = serve(answer)
    message = refusal(f"https://me:secret@127.0.0.1:{port}/x")[0]
    assert f"does the server speak TLS on port {port}?" in message
    assert "begins with http://" in message


def test_a_codec_that_nobody_decodes(serve: Serve) -> None:
    camera = rtsp_camera([], hang, codec="X-NO-SUCH-CODEC")
    assert "no decoder" in refusal(f"rtsp://127.0.0.1:{serve(camera)}/live")[0]


def test_a_web_page_is_no_stream(serve: Serve) -> None:
    def page(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(HTTP_OK + b"Content-Type: text/html\r\n\r\n<html>hello</html>" * 50)
        connection.close()

    assert "secret" not in refusal(f"http://me:secret@127.0.0.1:{serve(page)}/x")[0]


def test_a_film_on_a_web_server_is_a_file(
    serve: Serve, tmp_path: Path, write_film: WriteFilm, number_of: Any
) -> None:
    """It waits for its reader, has a length, and can be entered in the middle."""
    data = write_film(tmp_path / "film.mp4", 100, options={"g": "10"}).read_bytes()

    def film(connection: socket.socket) -> None:
        request = connection.recv(4096).decode()
        found = re.search(r"[Rr]ange: bytes=(\d+)-", request)
        start = int(found[1]) if found else 0
        connection.sendall(
            f"HTTP/1.1 206 Partial Content\r\nAccept-Ranges: bytes\r\n"
            f"Content-Range: bytes {start}-{len(data) - 1}/{len(data)}\r\n"
            f"Content-Length: {len(data) - start}\r\nConnection: close\r\n\r\n".encode()
        )
        connection.sendall(data[start:])
        connection.close()

    uri = f"http://127.0.0.1:{serve(film)}/film.mp4"
    with opened(uri) as source:
        assert not source.info.live
        assert source.info.num_frames == 100
        assert [number_of(frame.image_bgr) for frame in source] == list(range(100))
    with opened(uri, start_s=2.0, max_frames=3, loop=2) as source:
        assert [number_of(frame.image_bgr) for frame in source] == [50, 51, 52]


def transport_stream(num: int, numbered: Any, sound: bool = False) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mpegts") as container:
        options = {"tune": "zerolatency", "g": "10"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(num):
            frame = av.VideoFrame.from_ndarray(numbered(index), format="bgr24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def test_a_transport_stream_over_tcp(serve: Serve, numbered: Any, number_of: Any) -> None:
    data = transport_stream(75, numbered)

    def send(connection: socket.socket) -> None:
        for start in range(0, len(data), 188 * 20):
            connection.sendall(data[start : start + 188 * 20])
            time.sleep(0.01)
        connection.close()

    with opened(f"tcp://127.0.0.1:{serve(send)}") as source:
        assert source.info.live
        frames = list(source)
    numbers = [number_of(frame.image_bgr) for frame in frames]
    assert numbers == list(range(numbers[0], 75))
    assert len(frames) > 10
    np.testing.assert_allclose(
        [frame.pts_s for frame in frames], np.arange(len(frames)) / 25, atol=1e-3
    )


def test_a_transport_stream_over_udp(numbered: Any, number_of: Any) -> None:
    data = transport_stream(100, numbered)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            time.sleep(0.2)
            for start in range(0, len(data), 188 * 7):
                sender.sendto(data[start : start + 188 * 7], ("127.0.0.1", port))
                time.sleep(0.005)

    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    numbers: list[int] = []
    with opened(f"udp://127.0.0.1:{port}") as source, pytest.raises(SourceError, match=SILENCE):
        numbers.extend(number_of(frame.image_bgr) for frame in source)
    sending.join()
    assert len(numbers) > 20
    assert numbers == sorted(set(numbers))


def rtp_packets(num: int, numbered: Any) -> list[bytes]:
    """Return a film as RTP packets of H.264, one NAL unit each (RFC 6184), interleaved for RTSP."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 64, 48, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
    encoder.options = {"tune": "zerolatency", "g": "5", "x264-params": "annexb=1:repeat-headers=1"}
    packets: list[bytes] = []
    for index in range(num):
        frame = av.VideoFrame.from_ndarray(numbered(index), format="bgr24")
        frame.pts = index
        units = [u for p in encoder.encode(frame) for u in re.split(b"\0\0\0?\1", bytes(p)) if u]
        for unit in units:
            last = 0x80 if unit is units[-1] else 0
            header = struct.pack(">BBHII", 0x80, 96 | last, len(packets), index * 3600, 7)
            packet = header + unit
            packets.append(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
    return packets


def rtsp_camera(packets: list[bytes], then: Handler, codec: str = "H264") -> Handler:
    """Return the handler of a camera that speaks RTSP over TCP."""
    sdp = (
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
        f"c=IN IP4 0.0.0.0\r\na=rtpmap:96 {codec}/90000\r\na=control:track1\r\n"
    )
    answers = {
        "OPTIONS": "Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n",
        "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n\r\n{sdp}",
        "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n\r\n",
        "PLAY": "Session: 1\r\n\r\n",
    }

    def handle(connection: socket.socket) -> None:
        while request := connection.recv(4096).decode():
            method = request.split()[0]
            assert method != "SETUP" or "RTP/AVP/TCP" in request, "TCP is asked for first"
            number = re.search(r"CSeq: (\d+)", request)
            assert number is not None
            head = f"RTSP/1.0 200 OK\r\nCSeq: {number[1]}\r\n"
            connection.sendall((head + answers.get(method, "\r\n")).encode())
            if method == "PLAY":
                for packet in packets:
                    connection.sendall(packet)
                    time.sleep(0.01)
                then(connection)

    return handle


def test_an_rtsp_camera(serve: Serve, numbered: Any, number_of: Any) -> None:
    port = serve(rtsp_camera(rtp_packets(50, numbered), hang))
    frames = []
    with opened(f"rtsp://me:secret@127.0.0.1:{port}/live") as source:
        assert source.info.live
        assert source.info.name == f"rtsp://127.0.0.1:{port}/live"
        with pytest.raises(SourceError, match=SILENCE):
            frames.extend(iter(source.read, None))
    numbers = [number_of(frame.image_bgr) for frame in frames]
    assert len(numbers) > 20
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    np.testing.assert_allclose(
        [frame.pts_s for frame in frames], np.arange(len(frames)) / 25, atol=2e-3
    )


def test_a_live_picture_waits_for_no_more_than_the_next_one(
    serve: Serve, numbered: Any, number_of: Any
) -> None:
    """A decoder with a thread per frame would give each picture several frames late."""
    sent: dict[int, int] = {}

    def send(connection: socket.socket) -> None:
        packets = rtp_packets(80, numbered)
        plain = rtsp_camera([], lambda c: [play(c, packet) for packet in packets] and hang(c))
        plain(connection)

    def play(connection: socket.socket, packet: bytes) -> None:
        connection.sendall(packet)
        if packet[5] & 0x80:
            sent[struct.unpack(">I", packet[8:12])[0] // 3600] = time.monotonic_ns()
            time.sleep(0.03)

    late_frames = []
    with opened(f"rtsp://127.0.0.1:{serve(send)}/live") as source:
        for frame in source:
            number = number_of(frame.image_bgr)
            late_frames.append(sum(when < frame.captured_ns for when in sent.values()) - 1 - number)
            if number >= 75:
                break
    # FFmpeg's parser knows that a picture of H.264 is whole when it sees the next one begin.
    assert min(late_frames) <= 1
