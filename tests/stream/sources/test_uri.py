"""Names of sources never show credentials."""

from __future__ import annotations

import pytest

from rtseg.stream.sources import redact
from rtseg.stream.sources.uri import scheme


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("rtsp://me:secret@camera:554/live", "rtsp://camera:554/live"),
        ("rtsp://secret@camera/live", "rtsp://camera/live"),
        ("rtsp://me:se@cret@camera/live", "rtsp://camera/live"),
        ("rtsp://me:se/cret@camera/live", "rtsp://camera/live"),
        ("rtsp://me:secret?x@camera/live", "rtsp://camera/live"),
        ("http://camera:80/at@home.mjpg", "http://camera:80/at@home.mjpg"),
        ("http://camera/v?user=secret&pwd=secret&size=2", "http://camera/v?user=***&pwd=***&size=2"),
        ("http://camera/v?access_token=secret#x", "http://camera/v?access_token=***#x"),
        ("srt://host:9000?mode=caller&passphrase=secret", "srt://host:9000?mode=caller&passphrase=***"),
        ("https://host/f.m3u8?X-Amz-Signature=secret", "https://host/f.m3u8?X-Amz-Signature=***"),
        (
            'gst://rtspsrc location=rtsp://me:secret@cam/1 user-id=secret user-pw="secret" ! x',
            "gst://rtspsrc location=rtsp://cam/1 user-id=*** user-pw=*** ! x",
        ),
        ("dash.mp4", "dash.mp4"),
        ("folder/me:x@y.mp4", "folder/me:x@y.mp4"),
        ("demo:3", "demo:3"),
    ],
)  # fmt: skip
def test_redact(uri: str, shown: str) -> None:
    assert redact(uri) == shown
    assert "secret" not in redact(uri)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [("RTSP://x", "rtsp"), ("a/b.mp4", ""), ("C:\\film.mp4", ""), ("demo:1", ""), ("://x", "")],
)
def test_scheme(uri: str, expected: str) -> None:
    assert scheme(uri) == expected
