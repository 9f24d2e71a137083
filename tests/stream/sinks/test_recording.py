"""Recordings, read back by FFmpeg: frames, times, sizes, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from rtseg.errors import SinkError
from rtseg.frames import Picture
from rtseg.stream.audio import AudioTrack
from rtseg.stream.sinks.recording import Recording, RecordingConfig
from rtseg.stream.sinks.sink import StreamInfo

MakeInfo = Callable[..., StreamInfo]
MakePicture = Callable[..., Picture]
Record = Callable[..., None]
FilmTimes = Callable[[Path], list[float]]

SUFFIXES = ["mp4", "mov", "mkv"]


def ffprobe(path: Path) -> dict[str, Any]:
    """Return the streams and the format as ffprobe sees them, pictures counted."""
    program = shutil.which("ffprobe")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("ffprobe is missing")
        pytest.skip("no ffprobe")
    command = [program, "-v", "warning", "-count_frames", "-show_streams", "-show_format",
               "-of", "json", str(path)]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert result.stderr == "", "ffprobe has something to say about the film"
    values: dict[str, Any] = json.loads(result.stdout)
    return values


def test_the_motorway_clip_keeps_its_frames_length_and_sound(
    shared_data: Path, tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture
) -> None:
    clip = shared_data / "videos" / "udacity_p1_solidWhiteRight.mp4"
    path = tmp_path / "out.mp4"
    with av.open(str(clip)) as source, Recording(str(path)) as sink:
        track = AudioTrack(source.streams.audio[0])
        sink.open(make_info(25.0, name=str(clip), audio=track))
        for index, (frame, image) in enumerate(read_with_sound(source, track)):
            sink.write(make_picture(index, frame.time, image))
    seen = ffprobe(path)
    video, audio = seen["streams"]
    assert (video["codec_name"], video["pix_fmt"]) == ("h264", "yuv420p")
    assert (int(video["nb_read_frames"]), video["avg_frame_rate"]) == (221, "25/1")
    assert float(video["duration"]) == pytest.approx(8.84, abs=0.001)
    assert float(seen["format"]["duration"]) == pytest.approx(8.84, abs=0.04)
    assert audio["codec_name"] == "aac"
    assert float(audio["duration"]) == pytest.approx(8.84, abs=0.05)
    assert sink.problems() == []


def read_with_sound(container: Any, track: AudioTrack) -> Iterator[tuple[Any, Any]]:
    """Yield small decoded pictures, and hand the sound between them to the track."""
    from rtseg.stream.audio import AudioPacket

    for packet in container.demux():
        if packet.stream.type == "audio" and packet.pts is not None:
            seconds = float(packet.pts * packet.time_base)
            length = float(packet.duration * packet.time_base)
            track.put(AudioPacket(bytes(packet), seconds, length))
        elif packet.stream.type == "video":
            for frame in packet.decode():
                yield frame, cv2.resize(frame.to_ndarray(format="bgr24"), (240, 136))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("live", [False, True])
def test_variable_rates_keep_each_pictures_time_within_a_millisecond(
    tmp_path: Path, record: Record, film_times: FilmTimes, make_info: MakeInfo, suffix: str,
    live: bool,
) -> None:  # fmt: skip
    steps = np.random.default_rng(3).uniform(0.004, 0.3, 40)
    times = [0.0, *np.cumsum(steps).tolist(), 20.0, 20.04]
    path = tmp_path / f"out.{suffix}"
    record(Recording(str(path)), times, make_info(None, live=live))
    assert film_times(path) == pytest.approx(times, abs=0.001)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_film_may_begin_late_and_ends_as_long_after_its_last_picture_as_between_others(
    tmp_path: Path, record: Record, film_times: FilmTimes, suffix: str
) -> None:
    times = [0.5 + i / 10 for i in range(20)]
    path = tmp_path / f"out.{suffix}"
    record(Recording(str(path)), times)
    assert film_times(path) == pytest.approx(times, abs=0.001)
    seen = ffprobe(path)
    assert float(seen["format"]["start_time"]) == pytest.approx(0.5, abs=0.001)
    assert float(seen["format"]["duration"]) in (
        pytest.approx(2.0, abs=0.002),
        pytest.approx(2.5, abs=0.002),  # Matroska counts from 0
    )


def test_pictures_at_the_same_time_are_all_kept(
    tmp_path: Path, record: Record, film_times: FilmTimes
) -> None:
    path = tmp_path / "out.mp4"
    record(Recording(str(path)), [0.0, 0.04, 0.04, 0.04, 0.08])
    times = film_times(path)
    assert times == sorted(set(times))
    assert times == pytest.approx([0.0, 0.04, 0.04, 0.04, 0.08], abs=0.001)


def test_a_rate_of_ntsc_is_told_exactly(tmp_path: Path, record: Record) -> None:
    path = tmp_path / "out.mp4"
    record(Recording(str(path)), [i * 1001 / 30000 for i in range(90)])
    with av.open(str(path)) as film:
        assert film.streams.video[0].average_rate == Fraction(30000, 1001)


def test_keyframes_come_by_the_sources_time(tmp_path: Path, record: Record) -> None:
    path = tmp_path / "out.mkv"
    config = RecordingConfig(keyframe_s=2.0)
    record(Recording(str(path), config), [i / 4 for i in range(30)])
    with av.open(str(path)) as film:
        keys = [float(p.pts * p.time_base) for p in film.demux(video=0) if p.is_keyframe]
    assert {0.0, 2.0, 4.0, 6.0} <= set(keys)


COLOURS_BGR = [(0, 0, 255), (0, 255, 0), (255, 0, 0), (128, 64, 128), (0, 0, 0), (255, 255, 255),
               (128, 128, 128), (222, 40, 60), (0, 255, 255)]  # fmt: skip


@pytest.mark.parametrize("hw", [(96, 288), (1080, 1944)])
def test_colours_come_back_as_they_were(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture, hw: tuple[int, int]
) -> None:
    path = tmp_path / "out.mp4"
    patches = np.array(COLOURS_BGR, np.uint8)[np.newaxis]
    image = cv2.resize(patches, hw[::-1], interpolation=cv2.INTER_NEAREST)
    with Recording(str(path), RecordingConfig(crf=12)) as sink:
        sink.open(make_info())
        sink.write(make_picture(0, image=image))
    seen = ffprobe(path)["streams"][0]
    assert (seen["color_range"], seen["color_space"]) == ("tv", "smpte170m")
    assert (seen["color_primaries"], seen["color_transfer"]) == ("bt709", "bt709")
    decoded = decode_with_ffmpeg(path, hw)
    step = hw[1] // len(COLOURS_BGR)
    for number, colour in enumerate(COLOURS_BGR):
        middle = decoded[hw[0] // 2, number * step + step // 2]
        assert np.abs(middle.astype(int) - colour).max() <= 4, f"{colour} became {middle}"


def decode_with_ffmpeg(path: Path, hw: tuple[int, int]) -> Any:
    """Return the first picture as ffmpeg shows it, which heeds the film's colour tags."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-frames:v", "1", "-f", "rawvideo",
               "-pix_fmt", "bgr24", "-"]  # fmt: skip
    raw = subprocess.run(command, capture_output=True, timeout=60, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(*hw, 3)


def test_odd_sizes_are_made_even_without_losing_a_pixel(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture
) -> None:
    path = tmp_path / "out.mp4"
    image = np.zeros((51, 65, 3), np.uint8)
    image[:, -1] = 255
    image[-1] = 255
    with Recording(str(path), RecordingConfig(crf=5)) as sink:
        sink.open(make_info())
        sink.write(make_picture(0, image=image))
    with av.open(str(path)) as film:
        decoded = next(film.decode(video=0)).to_ndarray(format="bgr24")
    assert decoded.shape == (52, 66, 3)
    assert decoded[10, -2:].min() > 200
    assert decoded[-2:, 10].min() > 200
    assert decoded[:50, :62].max() < 60


def test_pictures_of_another_size_are_fitted_into_the_first_ones_and_told(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture
) -> None:
    path = tmp_path / "out.mp4"
    with Recording(str(path), RecordingConfig(crf=5)) as sink:
        sink.open(make_info())
        for index, hw in enumerate([(48, 64), (100, 40), (480, 640), (48, 64)]):
            sink.write(make_picture(index, image=np.full((*hw, 3), 255, np.uint8)))
    with av.open(str(path)) as film:
        pictures = [frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)]
    assert [picture.shape for picture in pictures] == [(48, 64, 3)] * 4
    upright = pictures[1]
    assert upright[:, 28:36].min() > 230
    assert max(upright[:, :16].max(), upright[:, -16:].max()) < 25
    assert pictures[2].min() > 230
    assert len(sink.problems()) == 1
    assert "2 pictures" in sink.problems()[0]


def test_an_existing_file_is_kept_unless_told_otherwise(
    tmp_path: Path, record: Record, make_info: MakeInfo, film_times: FilmTimes
) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"mine")
    with pytest.raises(SinkError, match=r"exists; .*--overwrite"), Recording(str(path)) as sink:
        sink.open(make_info())
    assert path.read_bytes() == b"mine"
    record(Recording(str(path), overwrite=True), [0.0, 0.04])
    assert len(film_times(path)) == 2


def test_of_two_recordings_with_one_name_the_second_is_refused(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture, film_times: FilmTimes
) -> None:
    path = tmp_path / "out.mp4"
    with Recording(str(path)) as first, Recording(str(path)) as second:
        first.open(make_info())
        second.open(make_info())
        first.write(make_picture(0))
        with pytest.raises(SinkError, match="exists"):
            second.write(make_picture(0))
    assert len(film_times(path)) == 1


@pytest.mark.parametrize("how", ["same", "symlink", "hardlink"])
def test_it_never_writes_onto_its_source(tmp_path: Path, make_info: MakeInfo, how: str) -> None:
    source, output = tmp_path / "in.mp4", tmp_path / "out.mp4"
    source.write_bytes(b"film")
    if how == "same":
        output = source
    elif how == "symlink":
        output.symlink_to(source)
    else:
        output.hardlink_to(source)
    sink = Recording(str(output), overwrite=True)
    with pytest.raises(SinkError, match="being read"), sink:
        sink.open(make_info(name=str(source)))
    assert source.read_bytes() == b"film"


def test_a_missing_folder_is_made_and_a_file_in_its_place_is_told(
    tmp_path: Path, record: Record, make_info: MakeInfo, film_times: FilmTimes
) -> None:
    path = tmp_path / "a" / "b" / "out.mkv"
    record(Recording(str(path)), [0.0])
    assert film_times(path) == [0.0]
    with pytest.raises(SinkError, match="folder"):
        Recording(str(path / "c" / "out.mkv")).open(make_info())
    with pytest.raises(SinkError, match="is a folder"):
        Recording(str(tmp_path), overwrite=True).open(make_info())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_without_a_picture_there_is_no_file(
    tmp_path: Path, make_info: MakeInfo, suffix: str
) -> None:
    path = tmp_path / f"out.{suffix}"
    for open_first in (True, False):
        sink = Recording(str(path))
        if open_first:
            sink.open(make_info())
        sink.close()
        sink.close()
        assert not path.exists()


def test_an_encoder_that_does_not_open_is_told_with_the_reason(
    tmp_path: Path, make_info: MakeInfo
) -> None:
    from rtseg.stream.sinks import available_encoders

    missing = [name for name, state in available_encoders().items() if state != "ok"]
    if not missing:
        pytest.skip("every encoder works on this machine")
    config = RecordingConfig.model_validate({"encoder": missing[0]})
    with pytest.raises(SinkError, match=rf"{missing[0]} doesn't work here: .+libx264"):
        Recording(str(tmp_path / "out.mp4"), config).open(make_info())


def test_two_recordings_at_once_hold_the_same_film(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture, film_times: FilmTimes
) -> None:
    paths = [tmp_path / "a.mp4", tmp_path / "b.mkv"]
    sinks = [Recording(str(path)) for path in paths]
    for sink in sinks:
        sink.open(make_info())
    for index in range(30):
        for sink in sinks:
            sink.write(make_picture(index))
    for sink in sinks:
        sink.close()
    assert film_times(paths[0]) == pytest.approx(film_times(paths[1]), abs=0.001)


def test_the_film_says_what_made_it(tmp_path: Path, record: Record, make_info: MakeInfo) -> None:
    path = tmp_path / "out.mp4"
    record(Recording(str(path)), [0.0], make_info(name="/videos/dash.mp4"))
    with av.open(str(path)) as film:
        assert film.metadata["title"] == "dash.mp4"
        assert "linknet fp32 on cpu" in film.metadata["comment"]
