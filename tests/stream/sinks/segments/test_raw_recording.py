"""The camera's own stream beside the labelled one: the very packets, in files that play."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import PictureType

from rtseg.errors import SinkError
from rtseg.frames import Picture
from rtseg.stream.packets import CAN_COPY, MAX_BYTES, PacketTrack, StreamParameters, VideoPacket
from rtseg.stream.sinks.recording import Recording, RecordingConfig
from rtseg.stream.sinks.recordings import list_recordings
from rtseg.stream.sources import Source, SourceConfig, open_source

NUM, FPS, GOP = 100, 25, 10

pytestmark = pytest.mark.skipif(not CAN_COPY, reason="this PyAV can't copy pictures")


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """A film with a key frame every 0.4 s, each picture in its own grey, and a tone."""
    path = tmp_path / "camera.mkv"
    with av.open(str(path), "w") as film:
        video: Any = film.add_stream("libx264", rate=FPS, options={"crf": "18"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.max_b_frames = 0
        sound: Any = film.add_stream("aac", rate=48_000, layout="mono")
        for index in range(NUM):
            image = np.full((48, 64, 3), 2 * index + 20, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts = index
            frame.pict_type = PictureType.NONE if index % GOP else PictureType.I
            film.mux(video.encode(frame))
            wave = np.sin(np.arange(1920, dtype=np.float32) * 0.05)[np.newaxis]
            audio = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            audio.sample_rate, audio.pts = 48_000, index * 1920
            film.mux(sound.encode(audio))
        film.mux(video.encode(None))
        film.mux(sound.encode(None))
    return path


def packets(path: Path, kind: str = "video") -> list[bytes]:
    with av.open(str(path)) as film:
        stream = film.streams.best(kind)
        return [bytes(packet) for packet in film.demux(stream) if packet.size]


def pictures(source: Source, make_picture: Any) -> Iterator[Picture]:
    for frame in source:
        yield make_picture(frame.index, frame.pts_s, image=frame.image_bgr)


def record(
    output: Path, source: Source, make_info: Any, make_picture: Any, **settings: Any
) -> Recording:
    recording = Recording(str(output), RecordingConfig(preset="ultrafast", raw=True, **settings))
    with recording:
        recording.open(replace(make_info(), source=source.info))
        for picture in pictures(source, make_picture):
            recording.write(picture)
    return recording


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_raw_segments_hold_the_very_packets_once_each(
    tmp_path: Path, drive: Path, make_info: Any, make_picture: Any, suffix: str
) -> None:
    output = tmp_path / "out" / f"drive{suffix}"
    with open_source(SourceConfig(uri=str(drive))) as source:
        recording = record(output, source, make_info, make_picture, segment_s=1)
    assert recording.problems() == []
    raw = sorted(output.parent.glob("*-raw.mkv"))
    labelled = sorted(path for path in output.parent.glob(f"*{suffix}") if path not in raw)
    assert [p.name.replace("-raw.mkv", suffix) for p in raw] == [p.name for p in labelled]
    assert len(raw) == 4
    assert [data for path in raw for data in packets(path)] == packets(drive)
    assert [data for path in raw for data in packets(path, "audio")] == packets(drive, "audio")[1:]
    starts = []
    for path in raw:
        with av.open(str(path)) as film:
            times = [float(frame.time) for frame in film.decode(video=0)]
            starts.append(float(film.metadata["RTSEG_START_S"]))
        assert times == pytest.approx([i / FPS for i in range(len(times))], abs=0.002)
    assert starts == pytest.approx([0.0, 1.2, 2.0, 3.2], abs=0.002), "at its own key frames"
    listed = list_recordings([str(output)])
    assert [file.raw for file in listed].count(True) == 4


def test_the_sound_goes_on_across_cuts(
    tmp_path: Path, drive: Path, make_info: Any, make_picture: Any
) -> None:
    output = tmp_path / "out" / "drive.mp4"
    with open_source(SourceConfig(uri=str(drive))) as source:
        record(output, source, make_info, make_picture, segment_s=1)
    films = sorted(output.parent.glob("*.mp4"))
    # all but the encoder's lead-in, which lies before the first picture
    kept = [data for path in films for data in packets(path, "audio")]
    assert kept == packets(drive, "audio")[1:]
    for path in films[:-1]:
        with av.open(str(path)) as film:
            video_s = [float(f.time) for f in film.decode(video=0)][-1] + 1 / FPS
            assert film.duration is not None
            assert film.duration / 1e6 == pytest.approx(video_s, abs=0.01)


def test_an_unsegmented_recording_has_a_raw_twin(
    tmp_path: Path, drive: Path, make_info: Any, make_picture: Any
) -> None:
    output = tmp_path / "out" / "drive.mp4"
    with open_source(SourceConfig(uri=str(drive))) as source:
        record(output, source, make_info, make_picture)
    assert {path.name for path in output.parent.iterdir()} == {"drive.mp4", "drive-raw.mkv"}
    assert packets(output.with_name("drive-raw.mkv")) == packets(drive)
    with open_source(SourceConfig(uri=str(drive))) as source:
        output.unlink()
        with pytest.raises(SinkError, match=r"drive-raw\.mkv exists"):
            record(output, source, make_info, make_picture)


@pytest.mark.parametrize("segment_s", [None, 60])
def test_a_source_without_a_compressed_stream_is_refused_in_one_line(
    tmp_path: Path, make_info: Any, segment_s: float | None
) -> None:
    config = RecordingConfig(raw=True, segment_s=segment_s)
    with (
        Recording(str(tmp_path / "a.mp4"), config) as recording,
        pytest.raises(SinkError, match="--record-raw"),
    ):
        recording.open(make_info())
    assert list(tmp_path.iterdir()) == []


def test_another_stream_after_a_reconnect_begins_another_raw_file(
    tmp_path: Path, drive: Path, make_info: Any, make_picture: Any
) -> None:
    other = tmp_path / "other.mkv"
    with av.open(str(other), "w") as film:
        video: Any = film.add_stream("mpeg4", rate=FPS)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        for index in range(10):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 96, 3), np.uint8), format="bgr24")
            frame.pts = index
            film.mux(video.encode(frame))
        film.mux(video.encode(None))
    track = PacketTrack()
    info = make_info(live=True)
    info = replace(info, source=replace(info.source, packets=track))
    config = RecordingConfig(preset="ultrafast", raw=True, segment_s=60)
    with Recording(str(tmp_path / "out" / "drive.mp4"), config) as recording:
        recording.open(info)
        number = 0
        for path in (drive, other):
            for packet in read_all(path, number / FPS):
                track.put(packet)
                recording.write(make_picture(number))
                number += 1
    raw = sorted((tmp_path / "out").glob("*-raw*.mkv"))
    assert [path.stem.split("-", 3)[-1] for path in raw] == ["raw-2", "raw"]
    assert packets(raw[1]) == packets(drive)
    assert packets(raw[0]) == packets(other)


def read_all(path: Path, shift_s: float) -> list[VideoPacket]:
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        parameters = StreamParameters(stream)
        return [
            VideoPacket(
                bytes(packet), shift_s + float(packet.pts * packet.time_base),
                shift_s + float(packet.dts * packet.time_base), 1 / FPS, packet.is_keyframe,
                parameters,
            )
            for packet in film.demux(stream)
            if packet.size and packet.pts is not None and packet.dts is not None
        ]  # fmt: skip


def test_a_reader_that_lags_begins_anew_at_a_key_frame(drive: Path) -> None:
    [first, second, *_] = read_all(drive, 0.0)
    track = PacketTrack()
    assert not track.wanted
    reader = track.subscribe()
    assert track.wanted
    track.put(replace(second, is_key=False))
    assert reader.take() == [], "it needs a key frame first"
    large = replace(first, data=bytes(MAX_BYTES // 2))
    for packet in (large, replace(second, is_key=False), large, second, first):
        track.put(packet)
    taken = reader.take()
    assert taken[0].is_key
    assert sum(len(packet.data) for packet in taken) <= MAX_BYTES
    assert reader.num_lost > 0
