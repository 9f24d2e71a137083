"""Where a page is served, who is told of it, and what nobody is shown."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from rtseg.cli import main
from rtseg.config import validate
from rtseg.errors import ConfigError, MissingExtraError, SinkError
from rtseg.stream.settings import StreamConfig
from rtseg.stream.sinks import make_sink
from rtseg.stream.sinks.browser import BrowserConfig, BrowserSink
from rtseg.stream.sinks.browser.address import Address

TOKEN = "a-token-for-tests"


@pytest.mark.parametrize(
    ("output", "host", "port", "loopback"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1", 8080, True),
        ("http://localhost:80/", "localhost", 80, True),
        ("http://[::1]:8080", "::1", 8080, True),
        ("http://127.9.8.7:1", "127.9.8.7", 1, True),
        ("http://0.0.0.0:8080", "0.0.0.0", 8080, False),
        ("http://[::]:8080", "::", 8080, False),
        ("http://192.168.1.5:8080", "192.168.1.5", 8080, False),
        ("http://localhost.example:8080", "localhost.example", 8080, False),
        ("http://127.0.0.1.example:8080", "127.0.0.1.example", 8080, False),
    ],
)
def test_an_address_is_read_and_whether_others_reach_it(
    output: str, host: str, port: int, loopback: bool
) -> None:
    address = Address.parse(output)
    assert (address.host, address.port, address.is_loopback) == (host, port, loopback)
    assert type(make_sink(output)) is BrowserSink


@pytest.mark.parametrize(
    "output",
    [
        "http://127.0.0.1",
        "http://:8080",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:x",
        "http://127.0.0.1:8080/page",
        "http://127.0.0.1:8080/?token=hush-hush",
        "http://me:hush-hush@127.0.0.1:8080",
        "http://[::1:8080",
        "https://127.0.0.1:8080",
    ],
)
def test_what_is_no_address_is_refused_in_one_line_without_secrets(output: str) -> None:
    with pytest.raises(SinkError, match=r"http://127\.0\.0\.1:8080") as raised:
        make_sink(output)
    assert "\n" not in str(raised.value)
    assert "hush" not in str(raised.value)


def test_a_port_that_is_taken_is_told(make_info: Callable[..., Any]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        sink = make_sink(f"http://127.0.0.1:{port}")
        with sink, pytest.raises(SinkError, match=r"in use.*another port"):
            sink.open(make_info())


def test_an_address_of_another_machine_is_told(make_info: Callable[..., Any]) -> None:
    with make_sink("http://192.0.2.1:8080") as sink, pytest.raises(SinkError, match="no address"):
        sink.open(make_info())


def test_a_short_token_is_refused_and_not_shown(make_info: Callable[..., Any]) -> None:
    config = BrowserConfig(token=SecretStr("hush"))
    sink = BrowserSink("http://127.0.0.1:0", config)
    with sink, pytest.raises(SinkError, match="at least 12") as raised:
        sink.open(make_info())
    assert "hush" not in str(raised.value)


def test_without_the_extra_it_says_what_to_install(
    make_info: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rtseg.stream.sinks.browser.browser_sink.find_spec", lambda name: None)
    with make_sink("http://127.0.0.1:0") as sink, pytest.raises(MissingExtraError) as raised:
        sink.open(make_info())
    assert "pip install 'rtseg[browser]'" in str(raised.value)


def test_two_streams_with_different_settings_can_not_share(
    feed: Callable[..., Any], make_info: Callable[..., Any]
) -> None:
    feed(config=BrowserConfig(quality=50))
    sink = BrowserSink("http://127.0.0.1:0", BrowserConfig(quality=60))
    with sink, pytest.raises(SinkError, match="other settings"):
        sink.open(make_info())


def test_a_token_that_is_made_is_told_once_with_the_link(
    feed: Callable[..., Any], ask: Callable[..., Any], capfd: Any, caplog: Any
) -> None:
    config = BrowserConfig(hosts=("cam.example",))
    first = feed(config=config, key="one")
    feed(config=config, key="two")
    told = capfd.readouterr().err
    assert told.count("/#token=") == 1
    token = told.split("/#token=")[1].strip()
    assert len(token) >= 24
    assert token not in caplog.text
    client = ask(first)
    assert client.get("/api/state").status == 401
    answer = client.get("/api/state", Authorization=f"Bearer {token}")
    assert answer.status == 200
    assert token.encode() not in answer.body


def test_a_token_that_was_set_is_not_told(feed: Callable[..., Any], capfd: Any) -> None:
    feed(config=BrowserConfig(token=SecretStr(TOKEN)))
    assert TOKEN not in capfd.readouterr().err


def test_the_environment_sets_a_token(
    feed: Callable[..., Any], ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RTSEG_BROWSER_TOKEN", TOKEN)
    client = ask(feed())
    assert client.get("/api/state").status == 401
    assert client.get("/api/state", Authorization=f"Bearer {TOKEN}").status == 200


def test_the_token_is_not_printed_with_the_configuration(capsys: Any) -> None:
    assert main(["stream", "demo", "-o", "null", "--token", TOKEN, "--print-config"]) == 0
    printed = capsys.readouterr().out
    assert TOKEN not in printed
    again = StreamConfig.model_validate(yaml.safe_load(printed))
    assert again.browser.token is None
    assert TOKEN not in repr(BrowserConfig(token=SecretStr(TOKEN)))
    assert TOKEN not in json.dumps(BrowserConfig(token=SecretStr(TOKEN)).model_dump(mode="json"))


@pytest.mark.parametrize(
    "wrong",
    [
        f"browser.token=[{TOKEN}]",
        f"browser={TOKEN}",
        f"browser={{tokn: {TOKEN}}}",
        f"browser.token='{TOKEN}",
        f"browser.token.x={TOKEN}",
    ],
)
def test_no_mistake_shows_the_token(wrong: str, capsys: Any) -> None:
    assert main(["stream", "demo", "-o", "null", "--set", wrong, "--print-config"]) == 2
    output = capsys.readouterr()
    assert TOKEN not in output.out + output.err
    assert "browser" in output.err


def test_a_token_of_digits_is_a_text_and_a_wrong_key_is_named() -> None:
    config = BrowserConfig.model_validate({"token": 123456789012})
    assert config.token is not None
    assert config.token.get_secret_value() == "123456789012"
    with pytest.raises(ConfigError, match="Did you mean 'token'"):
        validate(StreamConfig, {"browser": {"tokn": TOKEN}}, "test")
