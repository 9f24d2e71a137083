"""The sound of recordings: kept as it is where it can be, at its own time, else AAC, else told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from rtseg.frames import Picture
from rtseg.stream.audio import AudioPacket, AudioTrack
from rtseg.stream.sinks.recording import Recording, RecordingConfig
from rtseg.stream.sinks.sink import StreamInfo

MakeInfo = Callable[..., StreamInfo]
MakePicture = Callable[..., Picture]

RATE = 48_000
CLICKS_S = (0.5, 1.25)
LENGTH_S = 2.0


def clicks(rate: int = RATE) -> npt.NDArray[np.int16]:
    """Return silence with a few loud milliseconds, int16 [1, 2 * samples], stereo interleaved."""
    samples = np.zeros((round(LENGTH_S * rate), 2), np.int16)
    wave = (20_000 * np.sin(np.arange(rate // 200) * 0.8)).astype(np.int16)
    for start_s in CLICKS_S:
        start = round(start_s * rate)
        samples[start : start + len(wave)] = wave[:, np.newaxis]
    return samples.reshape(1, -1)


def make_sound(path: Path, codec: str, rate: int = RATE) -> Path:
    """Write a file of clicks; its first packet may begin before 0, as the codec does."""
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(codec, rate=rate, layout="stereo")
        samples = clicks(rate)
        for start in range(0, samples.shape[1] // 2, 1000):
            part = np.ascontiguousarray(samples[:, 2 * start : 2 * (start + 1000)])
            frame = av.AudioFrame.from_ndarray(part, format="s16", layout="stereo")
            frame.sample_rate, frame.pts = rate, start
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def record_with(
    sound: Path, sink: Recording, make_info: MakeInfo, make_picture: MakePicture,
    *, num_pictures: int = 50, shift_s: float = 0.0,
) -> None:  # fmt: skip
    """Record pictures at 25 a second while the source hands over its sound."""
    with av.open(str(sound)) as source, sink:
        track = AudioTrack(source.streams.audio[0])
        sink.open(make_info(audio=track))
        packets = [packet for packet in source.demux(track.template) if packet.pts is not None]
        start_s = min(max(float(p.pts * p.time_base), 0.0) for p in packets[:2])
        for packet in packets:
            pts_s = float(packet.pts * packet.time_base) - start_s + shift_s
            length_s = float((packet.duration or 0) * packet.time_base)
            track.put(AudioPacket(bytes(packet), pts_s, length_s))
        for index in range(num_pictures):
            sink.write(make_picture(index))


def heard(path: Path) -> tuple[str, list[float]]:
    """Return the codec, and when the clicks are heard on the film's clock."""
    times: list[float] = []
    with av.open(str(path)) as film:
        stream = film.streams.audio[0]
        resampler = av.AudioResampler(format="s16", layout="mono")
        for decoded in film.decode(stream):
            for frame in resampler.resample(decoded):
                loud = np.flatnonzero(np.abs(frame.to_ndarray()[0].astype(int)) > 4000)
                times += (float(frame.time or 0) + loud / frame.sample_rate).tolist()
        codec = stream.codec_context.name
    return codec, [t for i, t in enumerate(times) if i == 0 or t - times[i - 1] > 0.2]


@pytest.mark.parametrize(
    ("made", "name", "codec"),
    [
        (("aac", "in.mp4"), "out.mp4", "aac"),
        (("aac", "in.mp4"), "out.mov", "aac"),
        (("aac", "in.mp4"), "out.mkv", "aac"),
        (("libmp3lame", "in.mp3"), "out.mp4", "mp3float"),
        (("flac", "in.flac"), "out.mp4", "flac"),
        (("pcm_s16le", "in.wav"), "out.mkv", "pcm_s16le"),
        (("pcm_s16le", "in.wav"), "out.mov", "pcm_s16le"),
        (("pcm_s16le", "in.wav"), "out.mp4", "aac"),  # MP4 holds no PCM that browsers play
        (("libopus", "in.mkv"), "out.mov", "aac"),
        (("aac", "in.ts"), "out.mp4", "aac"),  # its packets lack what an MP4's head must say
        (("aac", "in.ts"), "out.mkv", "aac"),
        (("adpcm_ima_wav", "in.wav"), "out.mp4", "aac"),
        (("pcm_s16be", "in.aiff"), "out.mp4", "aac"),
        (("mp2", "in.mkv"), "out.mp4", "aac"),
    ],
)
def test_sound_is_heard_when_it_was(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture,
    made: tuple[str, str], name: str, codec: str,
) -> None:  # fmt: skip
    sound = make_sound(tmp_path / made[1], made[0])
    sink = Recording(str(tmp_path / name))
    record_with(sound, sink, make_info, make_picture)
    assert sink.problems() == []
    heard_codec, times = heard(tmp_path / name)
    assert heard_codec == codec
    assert times == pytest.approx(CLICKS_S, abs=0.03)


def test_sound_that_begins_late_stays_late(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture
) -> None:
    sound = make_sound(tmp_path / "in.mp4", "aac")
    for name in ("out.mp4", "out.mkv"):
        record_with(sound, Recording(str(tmp_path / name)), make_info, make_picture, shift_s=0.5)
        assert heard(tmp_path / name)[1] == pytest.approx([t + 0.5 for t in CLICKS_S], abs=0.005)


def test_sound_ends_with_the_pictures(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture
) -> None:
    sound = make_sound(tmp_path / "in.mp4", "aac")
    for name in ("out.mp4", "out.mkv"):
        sink = Recording(str(tmp_path / name))
        record_with(sound, sink, make_info, make_picture, num_pictures=25)
        with av.open(str(tmp_path / name)) as film:
            assert film.duration is not None
            assert film.duration / 1e6 == pytest.approx(1.0, abs=0.025)


def test_sound_is_left_out_where_it_is_not_wanted(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture
) -> None:
    sound = make_sound(tmp_path / "in.mp4", "aac")
    sink = Recording(str(tmp_path / "out.mp4"), RecordingConfig(audio=False))
    record_with(sound, sink, make_info, make_picture)
    with av.open(str(tmp_path / "out.mp4")) as film:
        assert not film.streams.audio
    assert sink.problems() == []


def test_sound_that_can_not_be_had_is_told_and_the_pictures_are_kept(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture
) -> None:
    with av.open(str(make_sound(tmp_path / "in.wav", "pcm_s16le"))) as source:
        track = AudioTrack(source.streams.audio[0])
        sink = Recording(str(tmp_path / "out.mp4"))
        with sink:
            sink.open(make_info(audio=track))
            for index in range(10):
                track.put(AudioPacket(b"\0\1\2", index / 25, 0.04))  # no whole sample
                sink.write(make_picture(index))
    with av.open(str(tmp_path / "out.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == 10
    assert len(sink.problems()) == 1
    assert "without the source's sound" in sink.problems()[0]


def test_the_source_may_be_closed_before_the_first_picture_is_written(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture
) -> None:
    for made in (("aac", "in.mp4"), ("pcm_s16le", "in.wav")):
        source = av.open(str(make_sound(tmp_path / made[1], made[0])))
        sink = Recording(str(tmp_path / f"{made[0]}.mp4"))
        track = AudioTrack(source.streams.audio[0])
        sink.open(make_info(audio=track))
        for packet in source.demux(track.template):
            if packet.pts is not None:
                track.put(AudioPacket(bytes(packet), float(packet.pts * packet.time_base), 0.02))
        source.close()
        for index in range(50):
            sink.write(make_picture(index))
        sink.close()
        assert len(heard(tmp_path / f"{made[0]}.mp4")[1]) == 2


def test_sound_that_comes_in_gaps_holds_no_picture_back(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture
) -> None:
    sound = make_sound(tmp_path / "in.mp4", "aac")
    path = tmp_path / "out.mp4"
    with av.open(str(sound)) as source, Recording(str(path)) as sink:
        track = AudioTrack(source.streams.audio[0])
        sink.open(make_info(audio=track, live=True))
        for packet in source.demux(track.template):
            if packet.pts is not None and packet.pts < 4096:
                track.put(AudioPacket(bytes(packet), float(packet.pts * packet.time_base), 0.02))
        for index in range(100):
            sink.write(make_picture(index))
        with av.open(str(path)) as film:
            assert sum(1 for _ in film.decode(video=0)) >= 75, "a second at 25 a second"


@pytest.mark.parametrize(("codec", "name"), [("aac", "in.mp4"), ("pcm_s16le", "in.wav")])
def test_a_gap_in_the_sound_moves_nothing(
    tmp_path: Path, make_info: MakeInfo, make_picture: MakePicture, codec: str, name: str
) -> None:
    path = tmp_path / "out.mp4"
    with av.open(str(make_sound(tmp_path / name, codec))) as source, Recording(str(path)) as sink:
        track = AudioTrack(source.streams.audio[0])
        sink.open(make_info(audio=track))
        for packet in source.demux(track.template):
            pts_s = float((packet.pts or 0) * packet.time_base)
            if packet.size and not 0.6 < pts_s < 1.1:
                track.put(
                    AudioPacket(bytes(packet), pts_s, float(packet.duration * packet.time_base))
                )
        for index in range(50):
            sink.write(make_picture(index))
    assert heard(path)[1] == pytest.approx(CLICKS_S, abs=0.03)
