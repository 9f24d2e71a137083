"""Which encoders work here, and how they are chosen."""

from __future__ import annotations

import pytest

from rtseg.errors import SinkError
from rtseg.stream.sinks import available_encoders, encoder
from rtseg.stream.sinks.encoder import ENCODERS, choose_encoder


def test_every_encoder_is_tried_and_told_in_one_line() -> None:
    states = available_encoders()
    assert tuple(states) == ENCODERS
    assert states["libx264"] == "ok"
    assert all(state and "\n" not in state for state in states.values())


def test_auto_prefers_x264_and_takes_what_works_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert choose_encoder("auto") == "libx264"
    works = {"h264_nvenc"}
    monkeypatch.setattr(encoder, "probe", lambda name: "ok" if name in works else "it is missing")
    assert choose_encoder("auto") == "h264_nvenc"
    with pytest.raises(SinkError, match="libx264 doesn't work here: it is missing"):
        choose_encoder("libx264")
    works.clear()
    with pytest.raises(SinkError, match=r"no H\.264 encoder works here .*%06d\.jpg"):
        choose_encoder("auto")
