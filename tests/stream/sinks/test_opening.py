"""From outputs as people write them to sinks."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtseg.errors import SinkError
from rtseg.stream.settings import StreamConfig
from rtseg.stream.sinks import ClassMapSink, StatisticsSink, make_sink, open_sinks
from rtseg.stream.sinks.null import NullSink
from rtseg.stream.sinks.pictures import PictureFiles
from rtseg.stream.sinks.recording import Recording, RecordingConfig
from rtseg.stream.sinks.window import WindowSink


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        ("out.mp4", Recording),
        ("a.b/OUT.MKV", Recording),
        ("out.mov", Recording),
        ("frames/%06d.png", PictureFiles),
        ("%d.jpg", PictureFiles),
        ("window", WindowSink),
        ("null", NullSink),
        ("stats.jsonl", StatisticsSink),
    ],
)
def test_an_output_finds_its_kind(output: str, kind: type) -> None:
    sink = make_sink(output)
    assert type(sink) is kind
    assert sink.name == output


@pytest.mark.parametrize("output", ["", "out.avi", "out", "windows", "mp4", "rtsp://x/y", "out."])
def test_anything_else_is_refused_with_a_list_of_what_is_allowed(output: str) -> None:
    with pytest.raises(SinkError) as raised:
        make_sink(output)
    assert repr(output) in str(raised.value)
    for allowed in ("FILE.mp4", "window", "FOLDER/%06d.png", "null"):
        assert allowed in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_configuration_gives_all_its_outputs() -> None:
    config = StreamConfig(
        outputs=("a.mp4", "null"), masks=Path("masks"), stats=Path("s.jsonl"),
        recording=RecordingConfig(crf=30),
    )  # fmt: skip
    sinks = open_sinks(config)
    assert [type(sink) for sink in sinks] == [Recording, NullSink, ClassMapSink, StatisticsSink]
    assert [sink.name for sink in sinks] == ["a.mp4", "null", "masks", "s.jsonl"]
    assert open_sinks(StreamConfig()) == []


def test_an_output_that_is_named_twice_is_refused() -> None:
    for config in (
        StreamConfig(outputs=("a.mp4", "b.mp4", "a.mp4")),
        StreamConfig(outputs=("a.mkv",), masks=Path("a.mkv")),
        StreamConfig(outputs=("a.mkv", "./a.mkv")),
    ):
        with pytest.raises(SinkError, match="twice"):
            open_sinks(config)
