"""A camera over RTSP, recorded in segments with its own stream beside, across its restart."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from rtseg.classes import CAMVID
from rtseg.frames import ClassMap, Frame, Picture
from rtseg.stream.controls import Controls
from rtseg.stream.events import Events
from rtseg.stream.latency import Latency
from rtseg.stream.sinks.recording import Recording, RecordingConfig
from rtseg.stream.sinks.sink import StreamInfo
from rtseg.stream.sources import ReconnectConfig, SourceConfig, open_source


def labelled(frame: Frame) -> Picture:
    labels = np.zeros(frame.image_bgr.shape[:2], np.uint8)
    return Picture(frame.image_bgr.copy(), frame, ClassMap(labels, CAMVID, frame))


def lines(film: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in film.with_suffix(".jsonl").read_text().splitlines()]


def decoded(film: Path) -> tuple[set[tuple[int, int]], list[float], float]:
    """Decode a film whole; return its sizes, its times, and how long its sound is."""
    with av.open(str(film)) as container:
        frames = [(f.height, f.width, float(f.time or 0)) for f in container.decode(video=0)]
    with av.open(str(film)) as container:
        if not container.streams.audio:
            return {(height, width) for height, width, _ in frames}, [t for *_, t in frames], 0.0
        sound_s = sum(f.samples / f.sample_rate for f in container.decode(audio=0))
    return {(height, width) for height, width, _ in frames}, [t for *_, t in frames], sound_s


@pytest.mark.slow
def test_a_camera_that_restarts_is_recorded_and_its_own_stream_as_well(
    tmp_path: Path, rtsp_camera: Any
) -> None:
    rtsp_camera.start("--sound", "mulaw")
    events = Events()
    reconnect = ReconnectConfig(first_s=0.1, longest_s=0.5)
    source = open_source(SourceConfig(uri=rtsp_camera.uri, reconnect=reconnect), events)
    config = RecordingConfig(preset="ultrafast", segment_s=2, raw=True)
    with source, Recording(str(tmp_path / "drive.mp4"), config) as recording:
        recording.open(
            StreamInfo(source.info, CAMVID, "engine", Controls(), Latency(), events=events)
        )
        begin_s, restarted = time.monotonic(), False
        num = 0
        while time.monotonic() - begin_s < 12 and (frame := source.read()) is not None:
            recording.write(labelled(frame))
            num += 1
            if not restarted and time.monotonic() - begin_s > 5:
                restarted = True
                rtsp_camera.kill()
                rtsp_camera.start("--size", "160x128", "--sound", "mulaw")
    films = sorted(tmp_path.glob("*.mp4"))
    raws = sorted(tmp_path.glob("*-raw*.mkv"))
    assert len(films) >= 4
    described = [lines(film) for film in films]
    seen = [decoded(film) for film in films]
    assert sum(len(times) for _, times, _ in seen) == num
    assert all(len(sizes) == 1 for sizes, _, _ in seen), "another size, another segment"
    assert {size for sizes, _, _ in seen for size in sizes} == {(240, 320), (128, 160)}
    starts = [one[0]["start_s"] for one in described]
    assert starts == sorted(starts)
    assert {"lost", "back"} <= {line["kind"] for one in described for line in one}
    for (_, times, sound_s), one in [*zip(seen, described, strict=True)][1:]:
        if not any(line["kind"] in ("lost", "back") for line in one) and len(times) > 25:
            assert sound_s == pytest.approx(one[-1]["seconds"], abs=0.25)
    assert sum(decoded(raw)[2] for raw in raws) == pytest.approx(
        sum(sound_s for *_, sound_s in seen), abs=2.0
    )
    raw_sizes = [size for raw in raws for size in decoded(raw)[0]]
    assert set(raw_sizes) == {(240, 320), (128, 160)}
    assert len(raws) >= 4
    assert sum(len(decoded(raw)[1]) for raw in raws) >= num
