"""What a page serves: pictures that move, figures, controls, films, and its end."""

from __future__ import annotations

import http.client
import itertools
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from rtseg.stream.sinks.browser import BrowserConfig, camera


def decoded(data: bytes) -> Any:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


def parts(port: int, path: str = "/stream.mjpg") -> Iterator[tuple[dict[str, str], bytes]]:
    """Read an MJPEG stream as any client does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.status == 200
    boundary = re.search("boundary=(.+)", answer.headers["Content-Type"])
    assert boundary
    try:
        while True:
            assert answer.readline().strip() == b"--" + boundary[1].encode()
            headers = {}
            while line := answer.readline().strip().decode():
                name, _, value = line.partition(": ")
                headers[name] = value
            yield headers, answer.read(int(headers["Content-Length"]))
            assert answer.readline() == b"\r\n"
    finally:
        answer.close()
        connection.close()


def has_pictures(state: Any) -> bool:
    return all(camera["pictures"] > 0 for camera in state["cameras"])


def metrics(client: Any) -> dict[tuple[str, tuple[str, ...]], float]:
    text = client.get("/metrics").body.decode()
    return {
        (sample.name, tuple(sorted(sample.labels.values()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_mjpeg_stream_moves_and_says_how_old_its_pictures_are(page: Any) -> None:
    stream = parts(page.port)
    found = [next(stream) for _ in range(5)]
    stream.close()
    numbers = [int(headers["X-Picture"]) for headers, _ in found]
    assert numbers == sorted(set(numbers))
    images = [decoded(data) for _, data in found]
    assert all(image.shape == (180, 320, 3) for image in images)
    assert all((one != other).any() for one, other in itertools.pairwise(images))
    assert all(0 <= float(headers["X-Age-Ms"]) < 5000 for headers, _ in found)


def test_pictures_are_sent_no_wider_than_asked_for(
    feed: Callable[..., Any], ask: Callable[..., Any]
) -> None:
    feeder = feed(hw=(400, 800), config=BrowserConfig(width=640))
    client = ask(feeder)
    client.wait("/api/state", lambda state: state["cameras"][0]["pictures"] > 0)
    widths = {
        path: decoded(client.get(f"/snapshot.jpg{path}").body).shape[1]
        for path in ("", "?width=300", "?width=470", "?width=9999")
    }
    assert widths == {"": 800, "?width=300": 320, "?width=470": 480, "?width=9999": 640}
    for wrong in ("-1", "0", "x", "1e3", "", "999999999999"):
        assert client.get(f"/snapshot.jpg?width={wrong}").status == 400
    stream = parts(feeder.port, "/stream.mjpg?width=200")
    assert decoded(next(stream)[1]).shape == (160, 320, 3)
    stream.close()


def test_a_client_that_takes_nothing_holds_up_nobody_and_is_cut_off(
    page: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rtseg.stream.sinks.browser.connection.WRITE_TIMEOUT_S", 1.0)
    with socket.socket() as dead:
        dead.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        dead.connect(("127.0.0.1", page.port))
        dead.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        client.wait("/api/state", lambda state: state["clients"] == 1)
        stream = parts(page.port)
        numbers = [int(next(stream)[0]["X-Picture"]) for _ in range(20)]
        stream.close()
        client.wait("/api/state", lambda state: state["clients"] == 0)
    assert numbers[-1] - numbers[0] < 200, "the other client waited"


def test_only_so_many_clients_watch(feed: Callable[..., Any], ask: Callable[..., Any]) -> None:
    feeder = feed(config=BrowserConfig(max_clients=2))
    client = ask(feeder)
    streams = [parts(feeder.port) for _ in range(2)]
    for stream in streams:
        next(stream)
    assert client.get("/stream.mjpg").status == 503
    streams[0].close()
    client.wait("/api/state", lambda state: state["clients"] == 1)
    another = parts(feeder.port)
    assert next(another)[1]
    for stream in (*streams, another):
        stream.close()


def test_the_state_is_that_of_the_stream(page: Any, client: Any) -> None:
    def is_whole(state: Any) -> bool:
        return state["cameras"][0]["fps"] > 0 and "engine" in state["cameras"][0]["stages_ms"]

    (found,) = client.wait("/api/state", is_whole)["cameras"]
    assert found["name"] == "test camera"
    assert (found["width"], found["height"]) == (320, 180)
    assert found["classes"][0] == "Sky"
    assert abs(sum(found["shares"]) - 1) < 0.01
    assert found["figures"]["age_ms"]["count"] > 0
    assert not found["stale"]
    assert found["overlay"]["mode"] == "overlay"


def test_figures_for_prometheus_are_the_streams(page: Any, client: Any) -> None:
    client.wait("/api/state", lambda state: state["cameras"][0]["pictures"] > 10)
    before = metrics(client)
    time.sleep(0.5)
    after = metrics(client)
    frames = "rtseg_frames_total", ("",)
    assert after[frames] > before[frames] > 10
    assert after["rtseg_frame_age_seconds_count", ("",)] >= before[frames]
    assert after["rtseg_stage_seconds", ("", "0.9", "engine")] >= 0
    assert after["rtseg_resident_memory_bytes", ()] > 1e7
    assert after["rtseg_healthy", ("",)] == 1
    page.info.reception.lose("cable")
    page.info.latency.dropped("infer")
    lost = metrics(client)
    assert lost["rtseg_losses_total", ("",)] == 1
    assert lost["rtseg_drops_total", ("", "infer")] == 1


def test_health_fails_when_pictures_are_stale_and_comes_back(
    page: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera, "STALE_S", 0.8)
    client.wait("/healthz", lambda health: health["ok"])
    page.info.reception.lose("no frame for 2.1 s")
    health = client.wait("/healthz", lambda health: not health["ok"])
    assert client.get("/healthz").status == 503
    assert "signal lost" in health["cameras"][0]["notice"]
    page.info.reception.find()
    client.wait("/healthz", lambda health: health["ok"])
    assert client.get("/healthz").status == 200


def test_a_lost_signal_shows_the_last_picture_in_grey(page: Any, client: Any) -> None:
    client.wait("/api/state", lambda state: state["cameras"][0]["pictures"] > 3)
    page.info.reception.lose("no frame for 2.1 s")
    client.wait("/api/state", lambda state: state["cameras"][0]["notice"])
    end = time.monotonic() + 10
    while "X-Again" not in (answer := client.get("/snapshot.jpg")).headers:
        assert time.monotonic() < end
        time.sleep(0.05)
    image = decoded(answer.body).astype(int)
    corner = image[-40:, :60]  # away from the notice
    assert np.abs(corner.max(axis=2) - corner.min(axis=2)).max() < 12
    stream = parts(page.port)
    first, second = next(stream)[1], next(stream)[1]
    stream.close()
    assert first != second, "the seconds count on"


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"mode": "mask"}, "mode", "mask"),
        ({"alpha": 0.25}, "alpha", 0.25),
        ({"legend": False}, "legend", False),
        ({"palette": "colour-blind"}, "palette", "colour-blind"),
        ({"hide": ["Sky", "road"]}, "hide", ("Sky", "road")),
        ({"outlines": True, "instances": True}, "instances", True),
    ],
)
def test_a_control_changes_the_overlay_and_the_picture(
    page: Any, client: Any, change: dict[str, Any], field: str, value: Any
) -> None:
    answer = client.post("/api/control", {"overlay": change})
    assert answer.status == 200
    assert getattr(page.info.controls.style, field) == value
    told = answer.json["cameras"][0]["overlay"][field]
    assert told == (list(value) if isinstance(value, tuple) else value)


def test_pause_step_and_record_do_what_they_say(page: Any, client: Any) -> None:
    client.wait("/api/state", lambda state: state["cameras"][0]["pictures"] > 0)
    client.post("/api/control", {"pause": True})
    time.sleep(0.3)
    before = client.get("/api/state").json["cameras"][0]["pictures"]
    client.post("/api/control", {"step": True})
    client.wait("/api/state", lambda state: state["cameras"][0]["pictures"] == before + 1)
    plain = client.get("/snapshot.jpg").body
    client.post("/api/control", {"overlay": {"mode": "mask"}})
    end = time.monotonic() + 10
    while client.get("/snapshot.jpg").body == plain:
        assert time.monotonic() < end, "a paused picture is not drawn anew"
        time.sleep(0.05)
    client.post("/api/control", {"pause": False, "record": False})
    client.wait("/api/state", lambda state: state["cameras"][0]["pictures"] > before + 3)
    assert not page.info.controls.recording


def test_events_are_told_once_and_in_order(page: Any, client: Any) -> None:
    page.info.events.add("lost", "signal lost: no frame for 2.1 s", seconds=2.1)
    page.info.events.add("found", "the signal is back after 4 s")
    events = client.get("/api/events").json["events"]
    assert [event["kind"] for event in events] == ["lost", "found"]
    assert events[0]["values"] == {"seconds": 2.1}
    later = client.get(f"/api/events?since={events[0]['number']}").json["events"]
    assert [event["kind"] for event in later] == ["found"]


def test_films_are_listed_and_sent_in_ranges(
    feed: Callable[..., Any],
    ask: Callable[..., Any],
    tmp_path: Path,
    make_film: Callable[..., Path],
) -> None:
    film = make_film(tmp_path / "drive of today.mp4")
    (tmp_path / "other.mp4").write_bytes(film.read_bytes())
    client = ask(feed(outputs=("window", str(film))))
    (found,) = client.get("/api/recordings").json["recordings"]
    assert found["name"] == film.name
    assert found["bytes"] == film.stat().st_size
    path = "/recordings/drive%20of%20today.mp4"
    whole = client.get(path)
    assert (whole.status, whole.headers["Content-Type"]) == (200, "video/mp4")
    assert whole.body == film.read_bytes()
    piece = client.get(path, Range="bytes=100-199")
    assert (piece.status, piece.body) == (206, film.read_bytes()[100:200])
    assert client.get(path, Range="bytes=99999999-").status == 416
    assert client.get("/recordings/other.mp4").status == 404
    assert "attachment" in client.get(f"{path}?download").headers["Content-Disposition"]


def test_streams_of_one_address_share_a_page(
    feed: Callable[..., Any], ask: Callable[..., Any]
) -> None:
    rear = feed(key="rear", name="rear camera")
    front = feed(key="front", name="front camera")
    assert rear.url == front.url
    client = ask(front)
    both = client.wait("/api/state", has_pictures)["cameras"]
    assert [one["key"] for one in both] == ["front", "rear"]
    client.post("/api/control", {"camera": "rear", "pause": True})
    assert (front.info.controls.paused, rear.info.controls.paused) == (False, True)
    assert client.post("/api/control", {"pause": True}).status == 400, "which of them?"
    client.post("/api/control", {"camera": "*", "overlay": {"alpha": 0.1}})
    assert front.info.controls.style.alpha == rear.info.controls.style.alpha == 0.1
    assert client.get("/snapshot.jpg?camera=rear").status == 200
    assert client.get("/snapshot.jpg?camera=side").status == 404
    rear.close()
    assert [one["key"] for one in client.get("/api/state").json["cameras"]] == ["front"]


def test_it_ends_soon_whatever_its_clients_do(page: Any) -> None:
    before = threading.active_count()
    reading, sockets = parts(page.port), []
    next(reading)
    for request in (b"GET /stream.mjpg HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"GET / HT", b""):
        dead = socket.create_connection(("127.0.0.1", page.port))
        dead.sendall(request)
        sockets.append(dead)
    time.sleep(0.3)
    began_s = time.monotonic()
    page.close()
    took_s = time.monotonic() - began_s
    assert took_s < 4
    assert threading.active_count() < before
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", page.port), timeout=2)
    for dead in sockets:
        dead.close()


@pytest.mark.slow
def test_who_takes_slowly_gets_fewer_pictures_and_no_old_ones(feed: Callable[..., Any]) -> None:
    feeder = feed(hw=(540, 960), config=BrowserConfig(quality=100, cpu=1.0, max_webrtc=0))
    lags, rest = [], b""
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        slow.connect(("127.0.0.1", feeder.port))
        slow.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        while len(lags) < 20:
            rest += slow.recv(4000)
            time.sleep(0.02)  # a third of what the stream makes
            if found := re.search(rb".*X-Picture: (\d+)\r\n", rest, re.DOTALL):
                lags.append(feeder.newest - int(found[1]))
                rest = rest[found.end() :]
    assert float(np.median(lags[8:])) < 9, lags  # a full buffer would make it 16
