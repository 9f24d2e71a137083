"""Live sources that fail and come back, over real sockets, with processes that are killed."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from rtseg.errors import SourceError
from rtseg.stream.events import Events
from rtseg.stream.sources import ReconnectConfig, SourceConfig, open_source

View = Callable[..., Any]
QUICK = ReconnectConfig(first_s=0.05, longest_s=0.2, stall_s=0.3)


def watch(view: View, uri: str, timeout_s: float = 1.0, **settings: Any) -> Any:
    """Open a source that is tried again soon, and read it."""
    events = Events()
    reconnect = settings.pop("reconnect", QUICK)
    config = SourceConfig(uri=uri, timeout_s=timeout_s, reconnect=reconnect, **settings)
    return view(open_source(config, events), events)


def events_of(viewer: Any, kind: str) -> list[Any]:
    return [event for event in viewer.events.since() if event.kind == kind]


@pytest.mark.parametrize(
    ("mode", "lost", "retried"),
    [
        ("stall", {"stalled", "timed out"}, {"timed out"}),
        ("close", {"ended", "broken off"}, set()),
        ("refuse", {"ended", "broken off"}, {"refused"}),
        ("garbage", {"stalled", "timed out", "ended"}, set()),
        ("half", {"ended", "broken off"}, set()),
        ("drip", {"stalled", "timed out"}, set()),
        ("password", {"ended", "broken off"}, {"wrong password"}),
        ("missing", {"ended", "broken off"}, {"not found"}),
        ("silent", {"ended", "broken off"}, {"timed out"}),
    ],
)
def test_a_camera_that_fails_comes_back(
    mode: str, lost: set[str], retried: set[str], mjpeg_camera: Any, view: View
) -> None:
    viewer = watch(view, mjpeg_camera.uri, timeout_s=0.3)
    viewer.wait_for_pictures(15)
    mjpeg_camera.fail(mode)
    viewer.wait_for_loss(1)
    assert viewer.reception.notice().startswith("signal lost ")
    if retried:
        viewer.wait_for(lambda: events_of(viewer, "retry failed"))
    mjpeg_camera.heal()
    viewer.wait_for(lambda: viewer.reception.lost_s is None)
    viewer.wait_for_pictures(5)
    assert events_of(viewer, "lost")[0].values["reason"] in lost
    told = {event.values["reason"] for event in events_of(viewer, "retry failed")}
    assert retried <= told
    (back, *_) = events_of(viewer, "back")
    assert back.values["attempts"] >= 1
    assert back.values["gap_s"] > 0
    indices, times_s = zip(*viewer.times, strict=True)
    assert list(indices) == list(range(len(indices)))
    assert list(times_s) == sorted(set(times_s))


def test_times_go_on_by_the_time_that_has_gone_by(mjpeg_camera: Any, view: View) -> None:
    viewer = watch(view, mjpeg_camera.uri)
    viewer.wait_for_pictures(10)
    mjpeg_camera.fail("refuse")
    viewer.wait_for_loss(1)
    before, begin_s = viewer.times[-1][1], viewer.last_ns / 1e9
    time.sleep(0.5)
    mjpeg_camera.heal()
    viewer.wait_for_pictures(3)
    assert viewer.times[-1][1] - before == pytest.approx(viewer.last_ns / 1e9 - begin_s, abs=0.1)


def test_what_is_wrong_is_told_once_and_counted_after(mjpeg_camera: Any, view: View) -> None:
    viewer = watch(view, mjpeg_camera.uri)
    viewer.wait_for_pictures(5)
    mjpeg_camera.fail("refuse")
    viewer.wait_for(lambda: viewer.reception.num_attempts >= 4)
    assert len(events_of(viewer, "retry failed")) == 1
    assert "refused" in viewer.reception.reason
    mjpeg_camera.heal()
    viewer.wait_for(lambda: events_of(viewer, "back"))
    back = events_of(viewer, "back")[0]
    assert back.values["failures"] == {"refused": back.values["attempts"] - 1}
    assert f"refused, {back.values['attempts'] - 1} times" in back.text
    viewer.close()
    assert "the signal was lost once" in viewer.source.problems()[0]


def test_another_size_after_a_loss_and_in_the_midst(mjpeg_camera: Any, view: View) -> None:
    viewer = watch(view, mjpeg_camera.uri)
    viewer.wait_for_pictures(5)
    mjpeg_camera.wh = (96, 64)
    viewer.wait_for(lambda: viewer.shapes[-1] == (64, 96))
    assert events_of(viewer, "size")[0].values == {"width": 96, "height": 64}
    assert viewer.reception.num_losses == 0
    mjpeg_camera.fail("close")
    viewer.wait_for_loss(1)
    mjpeg_camera.wh = (32, 32)
    mjpeg_camera.heal()
    viewer.wait_for(lambda: viewer.shapes[-1] == (32, 32))
    assert events_of(viewer, "back")[0].values["changes"] == ["32x32 instead of 96x64"]


@pytest.mark.parametrize("fps", [1.0, 0.5])
def test_a_slow_camera_is_not_taken_for_stalled(fps: float, view: View, mjpeg_camera: Any) -> None:
    """Its gaps are longer than the shortest limit; the clock here runs five times as fast."""
    mjpeg_camera.fps = 5 * fps
    reconnect = ReconnectConfig(stall_s=0.3)
    viewer = watch(view, mjpeg_camera.uri, timeout_s=5.0, reconnect=reconnect)
    viewer.wait_for_pictures(7)
    assert viewer.reception.num_losses == 0


@pytest.mark.slow
@pytest.mark.parametrize("fps", [1.0, 0.5])
def test_a_slow_camera_is_not_taken_for_stalled_by_the_usual_settings(
    fps: float, view: View, mjpeg_camera: Any
) -> None:
    mjpeg_camera.fps = fps
    viewer = watch(view, mjpeg_camera.uri, timeout_s=5.0, reconnect=ReconnectConfig())
    viewer.wait_for(lambda: viewer.num >= 14, limit_s=60)
    assert viewer.reception.num_losses == 0
    mjpeg_camera.fail("stall")
    viewer.wait_for(lambda: viewer.reception.num_losses == 1, limit_s=7.5 / fps)


@pytest.mark.slow
def test_a_camera_that_gets_slower_is_measured_anew(view: View, mjpeg_camera: Any) -> None:
    viewer = watch(view, mjpeg_camera.uri)
    viewer.wait_for_pictures(10)
    mjpeg_camera.fail("close")
    viewer.wait_for_loss(1)
    mjpeg_camera.fps = 3.0
    mjpeg_camera.heal()
    viewer.wait_for_pictures(6)
    losses = viewer.reception.num_losses
    viewer.wait_for_pictures(2)
    assert viewer.reception.num_losses == losses


def test_a_first_opening_that_fails_is_no_loss(mjpeg_camera: Any) -> None:
    mjpeg_camera.fail("missing")
    events = Events()
    with pytest.raises(SourceError, match="no such stream") as caught:
        open_source(SourceConfig(uri=mjpeg_camera.uri, timeout_s=1, reconnect=QUICK), events)
    assert caught.value.kind == "not found"
    assert not events.since()


def test_a_source_can_be_waited_for(mjpeg_camera: Any, view: View) -> None:
    mjpeg_camera.fail("refuse")
    back = threading.Timer(0.4, mjpeg_camera.heal)
    back.start()
    viewer = watch(view, mjpeg_camera.uri, wait=True)
    back.join()
    viewer.wait_for_pictures(3)
    assert viewer.times[0] == (0, 0.0)
    assert viewer.kinds() == ["waiting", "back"]
    viewer.close()
    assert not viewer.source.problems()


def test_a_wrong_address_is_not_waited_for() -> None:
    with pytest.raises(SourceError, match="csi://0"):
        open_source(SourceConfig(uri="csi://front", wait=True))


def test_it_is_given_up_after_as_many_attempts_as_wanted(mjpeg_camera: Any, view: View) -> None:
    reconnect = QUICK.model_copy(update={"limit": 3})
    viewer = watch(view, mjpeg_camera.uri, reconnect=reconnect)
    viewer.wait_for_pictures(5)
    mjpeg_camera.fail("refuse")
    viewer.wait_for(lambda: viewer.error is not None)
    assert isinstance(viewer.error, SourceError)
    assert str(viewer.error).endswith("given up after 3 attempts")


def test_the_end_of_the_wanted_part_comes_also_without_a_signal(
    mjpeg_camera: Any, view: View
) -> None:
    viewer = watch(view, mjpeg_camera.uri, end_s=1.0)
    viewer.wait_for_pictures(5)
    mjpeg_camera.fail("refuse")
    begin_s = time.monotonic()
    viewer.wait_for(lambda: not viewer.is_reading)
    assert viewer.error is None
    assert time.monotonic() - begin_s < 3


def test_counted_frames_are_counted_across_a_loss(mjpeg_camera: Any, view: View) -> None:
    viewer = watch(view, mjpeg_camera.uri, max_frames=20)
    viewer.wait_for_pictures(8)
    mjpeg_camera.fail("close")
    viewer.wait_for_loss(1)
    mjpeg_camera.heal()
    viewer.wait_for(lambda: not viewer.is_reading)
    assert viewer.num == 20


def test_a_slow_reader_gets_the_newest_picture(mjpeg_camera: Any) -> None:
    mjpeg_camera.fps = 50
    with open_source(SourceConfig(uri=mjpeg_camera.uri, timeout_s=1)) as source:
        source.read()
        source.take_replaced()
        ages_ms = []
        for _ in range(8):
            time.sleep(0.1)
            frame = source.read()
            assert frame is not None
            ages_ms.append((time.monotonic_ns() - frame.captured_ns) / 1e6)
        assert source.take_replaced() > 8
    assert statistics.median(ages_ms) < 60


@pytest.mark.parametrize("mode", ["stall", "refuse"])
def test_a_read_that_waits_is_interrupted_at_once(mode: str, mjpeg_camera: Any, view: View) -> None:
    viewer = watch(view, mjpeg_camera.uri, timeout_s=5.0)
    viewer.wait_for_pictures(30)
    mjpeg_camera.fail(mode)
    viewer.wait_for_loss(1)
    begin_s = time.monotonic()
    viewer.close()
    assert viewer.error is None
    assert time.monotonic() - begin_s < 3


def test_a_stop_ends_a_stream_whose_camera_hangs(parts: Any, mjpeg_camera: Any) -> None:
    """As Ctrl-C does it, while a read waits for a camera that sends nothing."""
    source = open_source(SourceConfig(uri=mjpeg_camera.uri, timeout_s=3.0))
    sink = parts.Sink()
    pipeline, info = parts.pipeline(source, [parts.step()], [sink])
    stopped_s: list[float] = []

    def stop() -> None:
        mjpeg_camera.fail("stall")
        time.sleep(0.3)
        stopped_s.append(time.monotonic())
        info.controls.stop()

    stopping = threading.Timer(0.5, stop)
    stopping.start()
    pipeline.run()  # raises where a thread had to be left behind
    assert time.monotonic() - stopped_s[0] < 1.5
    assert sink.written
    assert sink.does.count("close") == 1
    stopping.join()
    mjpeg_camera.close()  # lets go of the read that was left to itself
    end_s = time.monotonic() + 10
    while any(thread.name.startswith("rtseg-") for thread in threading.enumerate()):
        assert time.monotonic() < end_s, threading.enumerate()
        time.sleep(0.01)


def test_credentials_are_shown_nowhere(mjpeg_camera: Any, view: View) -> None:
    mjpeg_camera.password = "me:secret"
    uri = mjpeg_camera.uri.replace("://", "://me:secret@") + "?token=secret"
    viewer = watch(view, uri)
    viewer.wait_for_pictures(5)
    mjpeg_camera.fail("password")
    viewer.wait_for(lambda: events_of(viewer, "retry failed"))
    threads = [thread.name for thread in threading.enumerate()]
    viewer.close()
    told = [event.text + repr(event.values) for event in viewer.events.since()]
    assert "secret" not in repr([told, threads, viewer.source.problems(), viewer.reception.reason])


def test_an_rtsp_camera_is_killed_and_restarted(rtsp_camera: Any, view: View) -> None:
    rtsp_camera.start()
    viewer = watch(view, rtsp_camera.uri, timeout_s=3.0, reconnect=ReconnectConfig(first_s=0.1))
    viewer.wait_for_pictures(10)
    rtsp_camera.kill()
    viewer.wait_for(lambda: events_of(viewer, "retry failed"))
    assert "refused" in viewer.reception.reason
    rtsp_camera.start("--size", "160x120", "--fps", "10")
    viewer.wait_for(lambda: viewer.shapes[-1] == (120, 160))
    assert "160x120 instead of 320x240" in events_of(viewer, "back")[0].values["changes"]
    viewer.wait_for_pictures(5)
    indices, times_s = zip(*viewer.times, strict=True)
    assert list(indices) == list(range(len(indices)))
    assert list(times_s) == sorted(set(times_s))


def test_an_rtsp_camera_hangs_and_goes_on(rtsp_camera: Any, view: View) -> None:
    rtsp_camera.start()
    reconnect = ReconnectConfig(first_s=0.1, stall_s=0.5)
    viewer = watch(view, rtsp_camera.uri, timeout_s=2.0, reconnect=reconnect)
    viewer.wait_for_pictures(20)
    rtsp_camera.freeze()
    viewer.wait_for_loss(1)
    rtsp_camera.freeze(False)
    viewer.wait_for(lambda: viewer.reception.lost_s is None)
    viewer.wait_for_pictures(5)


def test_sound_goes_on_after_a_loss_where_it_is_the_same(rtsp_camera: Any, view: View) -> None:
    rtsp_camera.start("--sound", "mulaw")
    viewer = watch(view, rtsp_camera.uri, timeout_s=2.0, reconnect=ReconnectConfig(first_s=0.05))
    track = viewer.source.info.audio
    assert track is not None
    reader = track.subscribe()
    times_s: list[float] = []

    def hears_more() -> bool:
        heard = [packet.pts_s for packet in reader.take_until(float("inf"))]
        times_s.extend(heard)
        return len(heard) > 0

    viewer.wait_for(hears_more)
    rtsp_camera.kill()
    viewer.wait_for_loss(1)
    lost_s = viewer.times[-1][1]
    hears_more()
    rtsp_camera.start("--sound", "mulaw")
    viewer.wait_for(lambda: hears_more() and times_s[-1] > lost_s)
    viewer.wait_for_pictures(10)
    hears_more()
    assert times_s == sorted(times_s)
    assert times_s[-1] == pytest.approx(viewer.times[-1][1], abs=1)
    rtsp_camera.kill()
    viewer.wait_for_loss(2)
    hears_more()
    rtsp_camera.start("--sound", "alaw")
    viewer.wait_for_pictures(10)
    assert not hears_more()
    assert any("sound was of another kind" in line for line in viewer.source.problems())
    assert track.template.codec_context.name == "pcm_mulaw", "it outlives the connection"


@pytest.mark.parametrize("password", ["wrong", "right"])
def test_an_rtsp_camera_with_a_password(password: str, rtsp_camera: Any) -> None:
    rtsp_camera.start("--user", "me:right")
    uri = rtsp_camera.uri.replace("://", f"://me:{password}@")
    config = SourceConfig(uri=uri, timeout_s=3.0)
    if password == "wrong":
        with pytest.raises(SourceError, match="password is wrong"):
            open_source(config)
        missing = config.model_copy(update={"uri": uri.replace("wrong@", "right@") + "/no"})
        with pytest.raises(SourceError, match="no such stream"):
            open_source(missing)
        return
    with open_source(config) as source:
        assert source.read() is not None
