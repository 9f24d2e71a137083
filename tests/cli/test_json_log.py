"""The log as lines of JSON, and the exit status of each kind of end."""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from rtseg.cli import main
from rtseg.cli._json_log import JsonFormatter, log_as_json, plain


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """Put the log back as it was."""
    root = logging.getLogger()
    handlers, level, hook = list(root.handlers), root.level, threading.excepthook
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    threading.excepthook = hook
    logging.captureWarnings(False)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_has_time_level_logger_message_event_and_values(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log_as_json()
    extra = {"event": "lost", "values": {"seconds": np.float32(2.5), "path": Path("a"), "no": None}}
    logging.getLogger("rtseg.x").warning("signal %s,\nfor %d s", "lost", 2, extra=extra)
    (line,) = lines(capsys)
    at = datetime.fromisoformat(line.pop("time").replace("Z", "+00:00"))
    assert abs(datetime.now(timezone.utc) - at) < timedelta(seconds=30)
    assert line == {
        "level": "warning",
        "logger": "rtseg.x",
        "message": "signal lost,\nfor 2 s",
        "event": "lost",
        "values": {"seconds": 2.5, "path": "a", "no": None},
    }


def test_the_time_is_utc_with_milliseconds() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "m", None, None)
    record.created = 1_700_000_000.0004
    time = json.loads(JsonFormatter().format(record))["time"]
    assert time == "2023-11-14T22:13:20.000Z"


def test_credentials_are_taken_out_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    log_as_json()
    uri = "rtsp://me:secret@camera/1?token=secret"
    try:
        raise ValueError(f"no picture from {uri}")
    except ValueError:
        logging.getLogger("x").exception("lost %s", uri, extra={"event": "e", "values": {"u": uri}})
    text = capsys.readouterr().err
    assert "secret" not in text
    assert "rtsp://camera/1" in json.loads(text)["message"]
    assert "ValueError" in json.loads(text)["exception"]


def test_numbers_that_are_none_become_null() -> None:
    odd = {"a": float("nan"), "b": [float("inf"), np.int64(3)], 4: (1.5, True), "d": b"x"}
    assert plain(odd) == {"a": None, "b": [None, 3], "4": [1.5, True], "d": "b'x'"}


def test_warnings_and_failed_threads_are_lines_too(capsys: pytest.CaptureFixture[str]) -> None:
    log_as_json()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("old", UserWarning, stacklevel=1)
        logging.captureWarnings(False)
    thread = threading.Thread(target=lambda: 1 / 0, name="worker")
    thread.start()
    thread.join()
    warned, failed = lines(capsys)
    assert "old" in warned["message"]
    assert failed["level"] == "critical"
    assert "ZeroDivisionError" in failed["exception"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rtsp://user:secret@127.0.0.1:9/cam", "-o", "null"), "127.0.0.1"),
        (("demo", "--alpha", "7", "-o", "null"), "alpha"),
        (("demo", "--alpah", "7"), "--alpah"),
        (("demo", "-o"), "expected"),
    ],
)
def test_bad_input_is_one_line_of_json_and_status_2(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(["stream", "--log-json", *arguments])
    except SystemExit as end:  # argparse ends so
        status = int(end.code or 0)
    assert status == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    *_, line = (json.loads(text) for text in captured.err.splitlines())
    assert words in line["message"]
    assert (line["level"], line["event"], line["values"]) == ("error", "error", {"status": 2})
    assert "secret" not in captured.err


def test_a_fault_of_the_program_has_its_traceback_and_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rtseg.cli import stream

    monkeypatch.setattr(stream, "read_config", lambda arguments: 1 / 0)
    assert main(["stream", "demo", "--log-json"]) == 1
    (line,) = lines(capsys)
    assert line["level"] == "critical"
    assert line["values"] == {"status": 1}
    assert "ZeroDivisionError" in line["exception"]


def test_ctrl_c_before_the_stream_runs_is_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rtseg.cli import stream

    def interrupt(arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stream, "read_config", interrupt)
    assert main(["stream", "demo", "--log-json"]) == 130
    assert lines(capsys)[0]["message"] == "interrupted"


def test_the_source_may_stand_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = tmp_path / "source"
    secret.write_text("# the front camera\n\n  rtsp://me:secret@camera/1  \n")
    assert main(["stream", "--source-file", str(secret), "--print-config"]) == 0
    printed = capsys.readouterr().out
    assert yaml.safe_load(printed)["source"]["uri"] == "rtsp://camera/1"
    secret.write_text("demo:1\ndemo:2\n")
    assert main(["stream", "--source-file", str(secret), "--print-config"]) == 0
    cameras = yaml.safe_load(capsys.readouterr().out)["cameras"]
    assert [camera["uri"] for camera in cameras] == ["demo:1", "demo:2"]


@pytest.mark.parametrize("text", [None, "", "# nothing\n", b"\xff\xfe\xff"])
def test_a_file_without_a_source_is_bad_input(
    text: str | bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "source"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert main(["stream", "--source-file", str(path), "-o", "null"]) == 2
    assert str(path) in capsys.readouterr().err


def test_without_the_flag_an_error_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--log-json" not in sys.argv
    assert main(["stream", "nothing.mp4", "-o", "null"]) == 2
    assert capsys.readouterr().err.startswith("rtseg: ")


def test_the_address_of_the_page_is_a_line_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("aiohttp")
    arguments = ["demo", "--max-frames", "2", "--engine-size", "96x64", "--backend", "eager"]
    page = ["-o", "http://127.0.0.1:0", "--set", "source.size_wh=[160, 96]"]
    assert main(["stream", *arguments, *page, "--no-build", "--log-json"]) == 0
    told = [line for line in lines(capsys) if line.get("event") == "page"]
    assert [line["message"].partition("127.0.0.1")[0] for line in told] == [
        "the page is at http://"
    ]
