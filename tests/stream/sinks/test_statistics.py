"""Statistics: a JSON line for each picture, whole at any moment."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rtseg.errors import SinkError
from rtseg.frames import Picture
from rtseg.stream.sinks.sink import StreamInfo
from rtseg.stream.sinks.statistics import StatisticsSink

MakeInfo = Callable[..., StreamInfo]
MakePicture = Callable[..., Picture]


def test_a_line_tells_what_a_picture_shows_and_how_long_it_took(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture
) -> None:
    path = tmp_path / "new" / "stats.jsonl"
    labels = np.full((4, 8), 3, np.uint8)
    labels[0] = 8
    labels[1, :4] = 255
    info = make_info()
    info.latency.dropped("infer")
    info.latency.record(7, "infer", 1_000_000, 21_500_000)
    with StatisticsSink(path) as sink:
        sink.open(info)
        sink.write(make_picture(7, 0.28, labels=labels))
        text = path.read_text()  # it is there before the sink is closed
        assert text.endswith("\n")
        time.sleep(0.01)
        sink.write(make_picture(9, 0.36))
    first, second = map(json.loads, path.read_text().splitlines())
    assert (first["index"], first["pts_s"], first["drops"]) == (7, 0.28, 1)
    assert first["shares"] == {"Road": 0.625, "Car": 0.25, "void": 0.125}
    assert first["stages_ms"]["infer"] == 20.5
    assert first["age_ms"] > 0
    assert (second["index"], second["stages_ms"]) == (9, {})


def test_an_existing_file_is_kept_unless_told_otherwise(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture
) -> None:
    path = tmp_path / "stats.jsonl"
    path.write_text("mine\n")
    with pytest.raises(SinkError, match="--overwrite"):
        StatisticsSink(path).open(make_info())
    assert path.read_text() == "mine\n"
    with StatisticsSink(path, overwrite=True) as sink:
        sink.open(make_info())
        sink.write(make_picture(0))
    assert [json.loads(line)["index"] for line in path.read_text().splitlines()] == [0]
