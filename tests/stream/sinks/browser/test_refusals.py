"""What a page refuses: strangers, other sites, paths, and requests that are not in order."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from rtseg.stream.sinks.browser import BrowserConfig, connection

TOKEN = "a-token-for-tests"
GUARDED = [
    "/api/state",
    "/api/events",
    "/api/recordings",
    "/api/live",
    "/metrics",
    "/snapshot.jpg",
    "/stream.mjpg",
    "/recordings/drive.mp4",
    "/nothing-at-all",
]


@pytest.fixture
def stranger(feed: Callable[..., Any], ask: Callable[..., Any]) -> Any:
    """A client of a page with a token, which it doesn't know."""
    return ask(feed(config=BrowserConfig(token=SecretStr(TOKEN))))


def login(client: Any) -> Any:
    return client.post("/api/login", {"token": TOKEN})


def answer_to(client: Any, request: bytes) -> bytes:
    """Send raw bytes; return what comes until the connection is closed."""
    received = b""
    with client.raw(request) as raw:
        try:
            while data := raw.recv(65536):
                received += data
        except ConnectionResetError:
            pass
    return received


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def test_without_the_token_nothing_of_the_stream_is_told(stranger: Any) -> None:
    for path in GUARDED:
        answer = stranger.get(path)
        assert answer.status == 401, path
        assert b"test camera" not in answer.body
    assert stranger.post("/api/control", {"pause": True}).status == 401
    assert stranger.get("/healthz").json == {"ok": True}
    assert stranger.get("/").status == 200
    assert b"test camera" not in stranger.get("/").body


@pytest.mark.parametrize("wrong", ["", TOKEN[:-1], TOKEN + "x", "ä" * 20, "\x7f"])
def test_a_wrong_token_is_refused_however_it_is_brought(stranger: Any, wrong: str) -> None:
    assert stranger.post("/api/login", {"token": wrong}).status == 401
    basic = base64.b64encode(f"x:{wrong}".encode()).decode()
    cookie = f"rtseg_{stranger.port}={wrong.encode().hex()}"
    for headers in ({"Authorization": f"Basic {basic}"}, {"Cookie": cookie}):
        assert stranger.get("/api/state", **headers).status == 401
    if wrong.isascii() and wrong.isprintable():
        assert stranger.get("/api/state", Authorization=f"Bearer {wrong}").status == 401


def test_wrong_tokens_are_answered_slowly(stranger: Any) -> None:
    began_s = time.monotonic()
    stranger.post("/api/login", {"token": "guess"})
    assert time.monotonic() - began_s > 0.4


def test_the_right_token_opens_by_cookie_bearer_and_password(stranger: Any) -> None:
    answer = login(stranger)
    cookie = answer.headers["Set-Cookie"]
    assert answer.status == 200
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    assert stranger.get("/api/state", Cookie=cookie.partition(";")[0]).status == 200
    basic = base64.b64encode(f"anyone:{TOKEN}".encode()).decode()
    for offered in (f"Bearer {TOKEN}", f"Basic {basic}"):
        assert stranger.get("/api/state", Authorization=offered).status == 200
    assert stranger.get(f"/api/state?token={TOKEN}").status == 401, "tokens in URLs end in logs"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://[broken"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_other_sites_are_refused(client: Any, page: Any, headers: dict[str, str]) -> None:
    assert client.post("/api/control", {"pause": True}, **headers).status == 403
    assert client.get("/snapshot.jpg", **headers).status == 403
    assert client.get("/api/live", **headers).status == 403
    assert not page.info.controls.paused


def test_its_own_page_and_a_link_from_elsewhere_are_not_refused(client: Any, page: Any) -> None:
    own = {"Origin": f"http://127.0.0.1:{page.port}", "Sec_Fetch_Site": "same-origin"}
    assert client.post("/api/control", {"pause": True}, **own).status == 200
    assert page.info.controls.paused
    visit = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    assert client.get("/", **visit).status == 200


def test_a_name_that_was_made_to_point_here_is_refused(client: Any) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "10.1.2.3:80", "[::2]"):
        for path in ("/", "/api/state", "/healthz"):
            assert client.get(path, Host=host).status == 403
        assert client.post("/api/control", {"pause": True}, Host=host).status == 403
    for host in ("127.0.0.1", "localhost:9999", "[::1]:80", "LOCALHOST"):
        assert client.get("/api/state", Host=host).status == 200, "a tunnel has another port"


def test_a_proxys_name_is_allowed_when_it_is_listed_and_needs_a_token(
    feed: Callable[..., Any], ask: Callable[..., Any]
) -> None:
    config = BrowserConfig(hosts=("cam.example",), token=SecretStr(TOKEN))
    client = ask(feed(config=config))
    assert client.get("/api/state", Host="cam.example").status == 401
    key = f"Bearer {TOKEN}"
    assert client.get("/api/state", Host="cam.example", Authorization=key).status == 200
    assert client.get("/api/state", Host="other.example", Authorization=key).status == 403


CLIMBING_PATHS = [
    "/recordings/../secret.txt",
    "/recordings/..%2fsecret.txt",
    "/recordings/%2e%2e%2fsecret.txt",
    "/recordings/%2e%2e/secret.txt",
    "/recordings/..%5csecret.txt",
    "/recordings/%252e%252e%252fsecret.txt",
    "/recordings//secret.txt",
    "/recordings/secret.txt",
    "/recordings/secret.txt%00.mp4",
    "/recordings/%2fetc%2fpasswd",
    "//etc/passwd",
    "/../../../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/static/../app.js",
    "/page/index.html",
    "/app.js/../../browser_sink.py",
]


def test_no_path_reaches_the_disk(
    feed: Callable[..., Any], ask: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "secret.txt").write_text("root:x:0 secret")
    (tmp_path / "films").mkdir()
    client = ask(feed(outputs=(str(tmp_path / "films" / "drive.mp4"),)))
    for path in CLIMBING_PATHS:
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        answer = answer_to(client, head.encode())
        assert status_of(answer) in (400, 404), path
        assert b"secret" not in answer.partition(b"\r\n\r\n")[2]
        assert b"root:" not in answer


def test_a_body_that_is_too_large_is_refused(client: Any, page: Any) -> None:
    body = json.dumps({"pause": True, "overlay": {"mode": "x" * 20_000}}).encode()
    assert client.post("/api/control", body).status == 413
    head = "POST /api/control HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    request = head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + 3 * chunk + b"0\r\n\r\n"
    with client.raw(request) as raw:
        assert status_of(raw.recv(4096)) == 413
    assert not page.info.controls.paused


def test_a_head_that_is_too_large_is_refused(client: Any) -> None:
    for line in ("GET /" + "a" * 100_000, "GET / HTTP/1.1\r\nX: " + "a" * 100_000):
        request = f"{line} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        assert status_of(answer_to(client, request)) in (0, 400, 414, 431)


@pytest.mark.parametrize(
    "slowly",
    [
        b"",
        b"GET /api/state HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        b"POST /api/control HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\n\r\n{",
    ],
)
def test_a_request_that_comes_drop_by_drop_is_cut_off(
    client: Any, monkeypatch: pytest.MonkeyPatch, slowly: bytes
) -> None:
    monkeypatch.setattr(connection, "REQUEST_TIMEOUT_S", 0.8)
    monkeypatch.setattr("rtseg.stream.sinks.browser.data_routes.BODY_TIMEOUT_S", 0.8)
    with client.raw(slowly) as raw:
        raw.settimeout(0.2)
        began_s, answer = time.monotonic(), b""
        while time.monotonic() - began_s < 10:
            try:
                raw.send(b"X" if not slowly.endswith(b"{") else b" ")
                data = raw.recv(4096)
            except TimeoutError:
                continue
            except OSError:
                break
            if not data:
                break
            answer += data
        took_s = time.monotonic() - began_s
    assert took_s < 8, "it was served for ever"
    assert status_of(answer) in (0, 400, 408)
    assert client.get("/api/state").status == 200


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /api/state HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
        b"GET /api/state HTTP/1.1\r\n\r\n",
        b"GET /api/state HTTP/1.1\r\nHost:\r\n\r\n",
        b"GET /api/state HTTP/1.1\r\nHost: 127.0.0.1\r\nX\x00Y: 1\r\n\r\n",
        b"GET /api/state HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\rSet-Cookie: b\r\n\r\n",
        b"GET /api/state HTTP/1.1\r\nHost: 127.0.0.1\r\n folded: 1\r\n\r\n",
        b"POST /api/control HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /api/control HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GARBAGE\r\n\r\n",
    ],
)
def test_a_request_that_two_readers_would_read_differently_is_refused(
    client: Any, request_: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "REQUEST_TIMEOUT_S", 1.0)
    assert status_of(answer_to(client, request_)) in (0, 400)
    assert client.get("/api/state").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/snapshot.jpg?camera=%0d%0aSet-Cookie:%20a=b",
        "/api/events?since=1%0d%0aX-Bad:%201",
        "/recordings/%0d%0aX-Bad:%201",
        "/%0d%0aX-Bad:%201",
    ],
)
def test_no_line_of_a_request_becomes_a_header_of_the_answer(client: Any, path: str) -> None:
    answer = client.get(path)
    assert answer.status in (400, 404)
    assert not {"Set-Cookie", "X-Bad"} & set(answer.headers)


def test_forms_of_other_sites_are_no_controls(client: Any, page: Any) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        assert client.post("/api/control", {"pause": True}, Content_Type=kind).status == 415
    assert not page.info.controls.paused


def test_other_methods_are_refused(client: Any) -> None:
    for method in ("PUT", "DELETE", "TRACE", "OPTIONS", "PATCH"):
        for path in ("/", "/api/state", "/api/control", "/stream.mjpg"):
            assert client.get(path, method).status == 405
    assert client.get("/api/control").status == 405


SENSELESS_CONTROLS = [
    b"",
    b"{",
    b"[]",
    b"7",
    b"\xff\xfe",
    b"[" * 15_000,
    {"stop": True},
    {"pause": "perhaps"},
    {"overlay": {"mode": "sideways"}},
    {"overlay": {"alpha": 7}},
    b'{"overlay": {"alpha": NaN}}',
    {"overlay": {"hide": ["Unicorn"]}},
    {"overlay": {"__class__": 1}},
    {"overlay": 3},
    {"camera": "nowhere", "pause": True},
]


def test_a_control_that_makes_no_sense_changes_nothing(client: Any, page: Any) -> None:
    style = page.info.controls.style
    for body in SENSELESS_CONTROLS:
        answer = client.post("/api/control", body)
        assert answer.status in (400, 404), body
        assert answer.json["error"]
        assert page.info.controls.style == style
        assert not page.info.controls.paused
    assert client.wait("/healthz", lambda health: health["ok"])


def test_every_answer_tells_browsers_what_not_to_do(client: Any) -> None:
    for path in ("/", "/app.js", "/api/state", "/snapshot.jpg", "/nothing", "/healthz"):
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "Access-Control-Allow-Origin" not in headers
        assert "aiohttp" not in headers["Server"]


def test_the_page_loads_nothing_from_elsewhere(client: Any) -> None:
    body = client.get("/").body.decode()
    for path in ("/app.js", "/api.js", "/panels.js", "/picture.js", "/charts.js", "/style.css"):
        text = client.get(path).body.decode()
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", ""), path
        assert "https://" not in text, path
    assert "://" not in body
    assert "<style" not in body
    assert " style=" not in body
    assert " onclick=" not in body
